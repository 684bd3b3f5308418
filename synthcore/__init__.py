"""Populations of small networks on synthetic model systems, with claims decided by program."""
