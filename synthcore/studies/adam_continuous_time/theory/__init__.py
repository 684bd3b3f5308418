"""Exact answers: how large an update can get, Adam as a differential equation, norms of layers."""
