"""Figures and what explorers show: a dataset in, a matplotlib figure or arguments out."""
