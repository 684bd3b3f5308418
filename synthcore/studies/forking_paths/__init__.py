"""At which token does a text make up its mind? Outcome distributions while the text is written.

`task` and `ensemble` are the process with its exact outcomes; `theory`, `segments`, `survival` and
`paths` the analysis; `protocol`, `pipeline` and the backends ask any model; `experiment` joins the
stages; `decisions` and `claims` decide; `command` is what `synthcore fork` runs.
"""

TITLE = "Forking paths in text generation"
PAPER = (
    "Bigelow, Holtzman, Tanaka and Ullman, "
    "*Forking Paths in Neural Text Generation*, ICLR 2025, "
    "[arXiv:2412.07961](https://arxiv.org/abs/2412.07961)"
)
QUESTION = "At which token of a generated text is its outcome decided, and can that be seen?"
COMMAND = "fork"
