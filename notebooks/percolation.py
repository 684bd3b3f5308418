# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A percolation model of emergence

# %% tags=["parameters"]
seed = 0
n_seeds = 3
device = "auto"
grammar = "plain"
edges = "random"
classes = 4
entities = [80]
properties = [640, 2560]
density = 0.15
verbs = 8
adjectives = 0
longest = 9
shares = [0.2, 0.4, 0.4]
width = 64
depth = 2
heads = 2
initial_std = 0.02
learning_rate = 0.003
warmup = 50
batch = 64
steps = 900
checkpoints = 18
first_checkpoint = 30
test_lines = 96
samples = 192
bfloat16 = False
variants = []
variant_steps = 700
pair_seeds = 5
pair_entities = 160
pair_properties = [400, 800, 1600, 3200]
pair_classes = 4
pair_batch = 128
pair_steps = 1500
world_steps = 0
growths = 4

# %% tags=["hide-input"]
from synthcore.evidence.chapter import Chapter
from synthcore.studies.percolation import experiment
from synthcore.studies.percolation.claims import CLAIMS

config = experiment.Config.from_cell(globals())
chapter = Chapter("percolation", config)

# %%
parts = [stage(config, chapter.progress) for stage in experiment.stages(config)]
data = experiment.assemble(config, parts)
chapter.save(data)

# %%
chapter.claims(CLAIMS, data)
