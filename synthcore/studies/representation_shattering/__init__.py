"""Knowledge editing on cyclic orders: does one written fact shatter the rings of all others?

`task`, `holdouts` and `walks` are the process, `theory` what can be known exactly; `editing` holds
the editors; `networks`, `world`, `questions`, `edits`, `effects`, `geometry` and `tracing` train
and measure; `single_edits`, `editors`, `phase` and `months` are what `experiment` joins;
`decisions` and `claims` decide; `shown` is what figures and explorers show.
"""
