"""In-context learning on mixtures of Markov chains: retrieval against inference, unigram against
bigram.
"""

TITLE = "In-context learning as a competition of algorithms"
PAPER = (
    "Park, Lubana, Pres and Tanaka, "
    "*Competition Dynamics Shape Algorithmic Phases of In-Context Learning*, ICLR 2025, "
    "[arXiv:2412.01003](https://arxiv.org/abs/2412.01003)"
)
QUESTION = (
    "When a transformer predicts a Markov chain in context, does it look the chain up or count?"
)
