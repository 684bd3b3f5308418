"""Stepwise inference as graph navigation: when does writing down the way help to say whether there
is one?

`graphs`, `paths` and `task` are the process, `motifs` its in-context form; `theory` and `baselines`
hold what can be known exactly; `networks`, `measure`, `temperature`, `mechanism`, `single` and
`steering` train and measure; `experiment` joins them; `decisions` and `claims` decide.
"""
