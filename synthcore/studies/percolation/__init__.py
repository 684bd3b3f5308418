"""A percolation model of emergence: a formal language whose grammar and type constraints a
transformer learns one after the other, and a graph whose components say when the last can come.
"""

TITLE = "A percolation model of emergence"
PAPER = (
    "Lubana, Kawaguchi, Dick and Tanaka, "
    "*A Percolation Model of Emergence: Analyzing Transformers Trained on a Formal Language*, "
    "ICLR 2025, [arXiv:2408.12578](https://arxiv.org/abs/2408.12578)"
)
QUESTION = (
    "When a network suddenly gains a capability, is it because the pairs it has seen have just "
    "become connected?"
)
