"""Figures of the chapter: dataset -> matplotlib figure. `learning` has task, theory, diversity,
emergence and context; `phases` has probes, mixtures, the transient and the explorer."""
