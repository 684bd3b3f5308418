"""Concept space: diffusion models that can draw what they have never seen before they show it.

`scenes` and `task` are the process, `decoder` reads an image back, `theory` holds what is exact;
`diffusion` is the model around a denoiser, `school` trains populations, `sweep` follows what they
draw; `measure`, `times`, `elicitation` and `embeddings` measure; `experiment` joins the stages;
`decisions` and `claims` decide, `bridge` for the identity map; `shown` is what explorers get.
"""
