"""Stepwise inference as graph navigation: transformers say whether a goal can be reached in a
hidden graph, with and without writing the way there.
"""

TITLE = "Stepwise inference as graph navigation"
PAPER = (
    "Khona, Okawa, Hula, Ramesh, Nishi, Dick, Lubana and Tanaka, "
    "*Towards an Understanding of Stepwise Inference in Transformers: A Synthetic Graph Navigation "
    "Model*, ICML 2024, [arXiv:2402.07757](https://arxiv.org/abs/2402.07757)"
)
QUESTION = "When does writing down the way help a network to say whether there is one?"
