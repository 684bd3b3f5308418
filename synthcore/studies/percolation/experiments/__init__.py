"""One module per experiment; each has the stages that the notebook runs."""
