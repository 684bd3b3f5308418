"""Knowledge editing on cyclic orders: does one written fact shatter the rings of all others?

`task` and `holdouts` are the process, `theory` what can be known exactly; `values`, `updates`,
`edited` and `edit` are the editors; `networks`, `facts`, `measure`, `geometry` and `tracing` train
and measure; `months` is the check in a pretrained model; `experiment` joins them; `decisions` and
`claims` decide.
"""
