"""Compositional capabilities: from a few trained chains of functions to all of them.

`task`, `subsets`, `counts` and `theory` are the process and what is known of it exactly;
`networks`, `measure` and `anatomy` train and measure; `school`, `written_out`, `at_once`,
`two_slots` and `one_layer` are the stages that `experiment` joins; `decisions` and `claims` decide.
"""
