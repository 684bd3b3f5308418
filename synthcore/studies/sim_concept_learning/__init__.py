"""Structured identity mapping: which concept is learned first, and why an unseen combination of
concepts is first approached, then left, then reached.
"""

TITLE = "Swing-by dynamics of concept learning"
PAPER = (
    "Yang, Park, Lubana, Okawa, Hu and Tanaka, "
    "*Swing-by Dynamics in Concept Learning and Compositional Generalization*, ICLR 2025, "
    "[arXiv:2410.08309](https://arxiv.org/abs/2410.08309)"
)
QUESTION = (
    "Why does a network that learns concepts one by one first approach an unseen combination, "
    "then turn away from it, and only then arrive?"
)
