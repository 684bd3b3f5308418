"""Figures, a module per kind of question; nothing that a claim depends on."""
