"""Knowledge editing on cyclic orders: does one written fact shatter the rings of all others?

`task`, `holdouts` and `walks` are the process, `theory` what can be known exactly; the editors are
the room `synthcore.editing`; `networks`, `world`, `questions`, `edits`, `effects`, `geometry` and
`tracing` train and measure; `single_edits`, `editors`, `phase` and `months` are what `experiment`
joins; `decisions` and `claims` decide; `shown` is what figures and explorers show.
"""

TITLE = "Representation shattering"
PAPER = (
    "Nishi, Ramesh, Okawa, Khona, Tanaka and Lubana, "
    "*Representation Shattering in Transformers: A Synthetic Study with Knowledge Editing*, "
    "ICML 2025, [arXiv:2410.17194](https://arxiv.org/abs/2410.17194)"
)
QUESTION = (
    "Why does rewriting one fact in a network harm facts that nobody touched, and can the harm be "
    "foretold?"
)
