"""One module per experiment: trains transformers on some compositions of functions and asks for all
others. Each stage returns a dataset with a dimension seed.

`step_by_step` trains on every subset and measures policies in the networks' place; `training_sets`
asks how many compositions must be seen; `formats` compares writing every step with answering
directly, over families and architectures; `mechanism` looks inside.
"""
