"""Compositional capabilities: from a few trained chains of functions to all of them.

`task` makes documents from chains of functions, `theory` counts them and writes the weights of a
network by hand; `model` trains, `measure` tests, `experiments` join both into one dataset, from
which `claims` are decided.
"""

TITLE = "Compositional capabilities"
PAPER = (
    "Ramesh, Lubana, Khona, Dick and Tanaka, "
    "*Compositional Capabilities of Autoregressive Transformers: A Study on Synthetic, "
    "Interpretable Tasks*, ICML 2024, [arXiv:2311.12997](https://arxiv.org/abs/2311.12997)"
)
QUESTION = (
    "A network has seen a few of many possible chains of functions: does it compute the others, "
    "and what does that depend on?"
)
