"""Chains of functions as documents: what a document says, which chains are trained on, and the
tasks of all members of a population."""
