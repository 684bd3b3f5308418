"""Compositional capabilities: from a few trained chains of functions to all of them.

`task`, `subsets`, `counts` and `theory` are the process and what is known of it exactly; `networks`,
`measure` and `anatomy` train and measure; `experiment` joins them; `decisions` and `claims` decide.
"""
