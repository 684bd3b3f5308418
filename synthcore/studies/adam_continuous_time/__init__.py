"""Adam in continuous time: which moment decays keep updates bounded, what a normalisation layer
makes of an update, and Adam applied to itself.
"""

TITLE = "Adam in continuous time"
PAPER = (
    "Gould and Tanaka, "
    "*Continuous-Time Analysis of Adaptive Optimization and Normalization*, "
    "M3L workshop at NeurIPS 2024, [arXiv:2411.05746](https://arxiv.org/abs/2411.05746)"
)
QUESTION = (
    "Which memories may Adam's two moving averages have, and what does weight decay do to a "
    "normalised layer?"
)
