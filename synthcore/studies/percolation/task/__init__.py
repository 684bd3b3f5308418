"""The formal language: its syntax, its words and type constraints, its sentences and tasks."""
