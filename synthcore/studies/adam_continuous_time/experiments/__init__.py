"""Experiments: each makes gradients or networks, runs the optimiser, measures."""
