"""Strings for compiled programs, questions about texts of a grammar, and stories."""
