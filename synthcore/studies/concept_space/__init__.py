"""Concept space: diffusion models that can draw what they have never seen before they show it.

`scenes` and `task` are the process, `decoder` reads an image back, `theory` holds what is exact;
`diffusion`, `denoisers` and `classifier` are the models, `school` trains them; `times` and
`elicitation` measure; `experiment` joins everything; `decisions` and `claims` decide.
"""
