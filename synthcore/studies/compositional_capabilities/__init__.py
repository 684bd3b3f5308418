"""Compositional capabilities: from a few trained chains of functions to all of them.

`task`, `subsets`, `counts` and `theory` are the process and what is known of it exactly;
`networks`, `measure` and `anatomy` train and measure; `school`, `written_out`, `at_once`,
`two_slots` and `one_layer` are the stages that `experiment` joins; `decisions` and `claims` decide.
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
