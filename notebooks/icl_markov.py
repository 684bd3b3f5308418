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
# # In-context learning as a competition of algorithms

# %% tags=["parameters"]
seed = 0
n_seeds = 3
device = "auto"
states = 5
length = 96
diversities = [4, 16, 128, 512]
weighting = "normalised-uniform"
width = 32
depth = 2
heads = 2
mlp_ratio = 4.0
vocabulary = 0
tied = False
initial_std = 0.1
steps = 650
batch = 32
learning_rate = 0.004
final_learning_rate = 0.1
warmup = 50
beta2 = 0.99
weight_decay = 0.01
clip = 1.0
bfloat16 = False
checkpoints = 18
first_checkpoint = 40
evaluation_sequences = 128
contexts = [1, 2, 5, 10, 20, 40, 64, 96]
learned_diversities = [512]
variant_steps = 650
variant_diversities = []
variant_widths = []
variant_states = []
two_token = False

# %%
from synthcore.evidence.chapter import Chapter
from synthcore.studies.icl_markov import experiment
from synthcore.studies.icl_markov.claims import CLAIMS

config = experiment.Config.from_cell(globals())
chapter = Chapter("icl_markov", config)

# %%
data = experiment.run(config, chapter.progress)
chapter.save(data)

# %%
chapter.claims(CLAIMS, data)
