"""One module per experiment: each makes graphs and networks, trains, and measures."""

UNITS = {
    "step": "updates",
    "temperature": "1",
    "length_difference": "edges",
    "length_given_valid": "edges",
    "edges": "edges",
    "bayes_divergence": "nats",
    "distance": "layers",
    "near": "layers",
    "mechanism_distance": "edges",
    "exemplars": "exemplars",
    "between": "motifs",
    "conflict": "motifs",
}
