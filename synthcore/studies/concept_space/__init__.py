"""Concept space: diffusion models that can draw what they have never seen before they show it.

`scenes` and `task` are the process, `decoder` reads an image back, `theory` holds what is exact;
`model` is the denoiser around `synthcore.diffusion`, `school` trains populations, `sweep` follows
what they draw; `measure`, `times`, `elicitation` and `embeddings` measure; `experiment` joins the
stages; `decisions` and `claims` decide, `bridge` for the identity map; `shown` is what explorers
get.
"""

TITLE = "Hidden capabilities in concept space"
PAPER = (
    "Park, Okawa, Lee, Lubana and Tanaka, "
    "*Emergence of Hidden Capabilities: Exploring Learning Dynamics in Concept Space*, "
    "NeurIPS 2024, [arXiv:2406.19370](https://arxiv.org/abs/2406.19370)"
)
QUESTION = (
    "When does a diffusion model learn to draw a combination of concepts that it has never seen, "
    "and does it show what it has learned?"
)
