"""Figures of the chapter: a dataset in, a matplotlib figure out."""
