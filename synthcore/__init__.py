"""Populations of small neural networks on synthetic model systems, with claims decided by program."""
