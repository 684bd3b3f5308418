"""Stages: the expensive parts of a study, computed once, kept, and gone on with when killed.

A stage is a function from a config to a dataset that says which parameters it reads::

    @stage(reads=("states", "length"))
    def run(config: Config, progress: Progress) -> xr.Dataset: ...

Its result is found again by those parameters, the seeds, torch's version and the code it rests on.
"""

from synthcore.stages.stage import Stage, stage

__all__ = ["Stage", "stage"]
