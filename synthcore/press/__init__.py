"""Runs notebooks by name, decides what is stale, builds the site. Imports no study."""
