"""Figures: a dataset in, a matplotlib figure out; and what explorers take from a dataset."""
