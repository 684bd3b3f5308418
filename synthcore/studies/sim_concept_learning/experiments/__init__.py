"""Experiments: each makes data and networks, trains or integrates, and returns a dataset."""
