"""At which token does a text make up its mind? Outcome distributions while the text is written.

`task` and `ensemble` are the process with its exact outcomes; `theory`, `segments`, `survival` and
`paths` the analysis; `protocol`, `pipeline` and the backends ask any model; `experiment` joins the
stages; `decisions` and `claims` decide; `command` is what `synthcore fork` runs.
"""

COMMAND = "fork"
