"""What a run proves and how one can check it: claims, statistics, records, provenance.

Knows nothing of models. Import the modules themselves; `claim` and `statistics` need xarray, and
`record`, `files` and `provenance` start fast because the command line needs only them.
"""
