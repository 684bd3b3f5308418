"""Figures: a dataset in, a matplotlib figure out."""
