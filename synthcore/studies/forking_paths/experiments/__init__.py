"""One module per experiment: worlds or a model, samples, what is found in them; stages."""
