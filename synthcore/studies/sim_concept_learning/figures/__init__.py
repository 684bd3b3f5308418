"""Figures: datasets in, matplotlib figures out; one module for networks, one for the tied network
and the exact flow.
"""
