"""One module per experiment; each trains networks, holds them against the exact algorithms, and
returns a dataset with dimensions diversity, seed, step, context (and algorithm or policy)."""
