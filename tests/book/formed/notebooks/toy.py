# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Walks that rise

# %% tags=["parameters", "hide-input"]
seed = 0
n_seeds = 5
steps = 40
rate = 0.5
mode = "fine"
device = "auto"

# %% tags=["hide-input"]
import numpy as np

from synthcore.evidence.chapter import Chapter
from synthcore.evidence.claim import Claim
from synthcore.evidence.exercise import Exercise
from synthcore.evidence.statistics import at_least
from synthcore.studies.toy import experiment, figures

config = experiment.Config.from_cell(globals())
chapter = Chapter("toy", config)
chapter.parameters(first=experiment.FIRST)

# %% tags=["hide-input"]
data = experiment.run(config)
chapter.save(data)
chapter.card("A walk with drift rises by **{rise:.1f} m**.", rise=data.drift.isel(step=-1).mean())

# %% [markdown]
# ## Build it yourself

# %%
position = 0.0
random = np.random.default_rng(config.seed)
for _ in range(steps):
    position += random.normal(rate, 1)
chapter.same(position, data.drift[0, -1])

# %% [markdown]
# ## Results

# %% tags=["hide-input"]
chapter.figure(
    figures.walks(data),
    id="walks",
    caption="With drift the position grows with every step.",
    alt="A rising line and a flat one; a heat map.",
    source=figures.walks,
)

# %% tags=["hide-input"]
CLAIM = Claim(
    "C1",
    "A walk with drift rises.",
    where="Fig. 1",
    primary=lambda data: at_least(data.drift.isel(step=-1), 0.4),
    threshold_source="ours: a fraction of the drift",
    control=lambda data: data.assign(drift=data.free),
    required=("check",),
)
chapter.claims([CLAIM], data)

# %% [markdown]
# ## How this differs from the paper

# %% tags=["hide-input"]
chapter.differences()

# %% [markdown]
# ## Exercises
#
# How far does drift alone bring a walk?

# %% tags=["hide-input"]
drift = Exercise(
    "drift",
    solution=lambda steps, rate: steps * rate,
    cases=[(3, 0.5), (10, 2.0)],
    hint="Every step adds the same.",
)


# %% tags=["exercise"]
def distance(steps: int, rate: float) -> float:
    return ...


drift.check(distance)

# %% tags=["solution", "hide-cell"]
drift.check(lambda steps, rate: steps * rate)
