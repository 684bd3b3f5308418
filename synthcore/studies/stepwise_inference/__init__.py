"""Stepwise inference as graph navigation: when does writing down the way help to say whether there
is one?

`graphs`, `paths` and `task` are the process, `motifs` its in-context form; `theory` and `baselines`
hold what can be known exactly; `networks`, `measure`, `temperature`, `mechanism`, `single` and
`steering` train and measure; `experiment` joins them; `decisions` and `claims` decide.
"""

TITLE = "Stepwise inference as graph navigation"
PAPER = (
    "Khona, Okawa, Hula, Ramesh, Nishi, Dick, Lubana and Tanaka, "
    "*Towards an Understanding of Stepwise Inference in Transformers: A Synthetic Graph Navigation "
    "Model*, ICML 2024, [arXiv:2402.07757](https://arxiv.org/abs/2402.07757)"
)
QUESTION = "When does writing down the way help a network to say whether there is one?"
