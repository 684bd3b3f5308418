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

# %% tags=["parameters", "hide-input"]
seed = 0
n_seeds = 5
device = "auto"
states = 5
length = 96
diversities = [4, 512]
weighting = "normalised-uniform"
width = 32
depth = 2
heads = 2
mlp_ratio = 1.0
vocabulary = 0
tied = False
norm = "layer"
bias = True
positions = "rotary"
initial_std = 0.1
steps = 600
batch = 32
learning_rate = 0.003
final_learning_rate = 1.0
warmup = 50
beta1 = 0.9
beta2 = 0.99
weight_decay = 0.01
weight_decay_on = "all"
clip = 1.0
bfloat16 = False
checkpoints = 15
first_checkpoint = 40
evaluation_sequences = 64
contexts = [1, 2, 5, 10, 20, 40, 64, 96]
shuffled_contexts = [1, 5, 10, 96]
positions_seeds = 2
positions_diversity = 512
positions_steps = 60
positions_initial_std = 0.02
transience_seeds = 2
transience_control_seeds = 2
transience_diversity = 64
transience_width = 32
transience_heads = 2
transience_steps = 60
transience_checkpoints = 8
transience_learning_rate = 0.003
many_states = 10
many_states_seeds = 2
many_states_length = 64
many_states_diversities = [64]
many_states_steps = 60
many_states_learning_rate = 0.003
many_states_contexts = [1, 10, 40, 64]
ascent_diversity = 4
ascent_steps = 60
ascent_sequences = 32

# %% tags=["hide-input"]
import numpy as np
import torch
import xarray as xr
from scipy.optimize import nnls
from torch.nn import functional as F

from synthcore.evidence.chapter import Chapter
from synthcore.evidence.exercise import Exercise
from synthcore.explorers.retrieval import RetrievalExplorer
from synthcore.interp.interpolation import interpolate
from synthcore.nn import gpt
from synthcore.nn.convert import from_population
from synthcore.studies.icl_markov import task, theory
from synthcore.studies.icl_markov.claims import CLAIMS
from synthcore.studies.icl_markov.config import FIRST, Config
from synthcore.studies.icl_markov.experiments import comparisons, diversity, transience
from synthcore.studies.icl_markov.figures import learning, phases
from synthcore.studies.icl_markov.measure import scores
from synthcore.training.losses import next_token_loss
from synthcore.training.seeding import seeded

config = Config.from_cell(globals())
chapter = Chapter("icl_markov", config)

# %% tags=["hide-input"]
main = chapter.stage(diversity.run)
known = chapter.stage(diversity.policies)
rotary_or_learned = chapter.stage(comparisons.positions)
long_run = chapter.stage(transience.run)
unrepeated = chapter.stage(transience.inexhaustible)
ten = chapter.stage(comparisons.many_states)
few_of_ten = chapter.stage(comparisons.ascent)
forms = theory.simulate(config.states, config.seeds)
results = xr.DataTree.from_dict(
    {
        "closed_forms": forms,
        "diversity": main,
        "policies": known,
        "positions": rotary_or_learned,
        "transience": long_run,
        "inexhaustible": unrepeated,
        "many_states": ten,
        "ascent": few_of_ten,
    }
)

# %% tags=["hide-input"]
after = scores.normalised_score(main.sel(step=scores.after_transition(main)).isel(context=-1)).mean(
    "seed"
)
largest = scores.normalised_score(main.isel(diversity=-1, context=-1))
start, end = (scores.crossing(largest, level).median() for level in (0.8, 0.3))
chapter.card(
    "Trained on {few} chains, a small transformer recognises which chain it sees and fails on new ones; trained on {many}, it counts transitions, whatever the chain. "
    "On a scale where counting single states is 1 and counting transitions 0, its error on new chains is **{high:.2f}** and **{low:.2f}**. "
    + (
        "Counting transitions comes abruptly, between steps {start:.0f} and {end:.0f} (medians), together with attention to the previous token."
        if np.isfinite([start, end]).all()
        else "In this run no network came to count transitions."
    ),
    few=main.diversity[0],
    many=main.diversity[-1],
    high=after[0],
    low=after[-1],
    start=start,
    end=end,
)

# %% tags=["hide-input"]
chapter.explorer(
    phases.explorer(main),
    id="phase-explorer",
    caption="Which algorithm describes the network? The weights of the four as training goes on; here the sliders move over diversity, training and context.",
    alt="An interactive map of the dominating algorithm over number of chains and training step, with bars of the four weights and curves of KL at the cursor.",
    still=phases.weights(main, config.diversities),
    source=phases.explorer,
)

# %% [markdown]
# ## The question
#
# Show a transformer a sequence it has never seen and it adapts to it without changing a weight. {cite:t}`park2024competition` ask whether **one**
# task can show all that is known of this *in-context learning*, and whether it is the work of a few simple algorithms that compete.

# %% tags=["hide-input"]
chapter.parameters(first=FIRST)

# %% [markdown]
# ## The task
#
# A chain over $k$ states is a table of transition probabilities; every row is drawn once, uniformly from all distributions (a Dirichlet with all
# concentrations 1). A world holds $N$ chains with weights $p_n$. Every training sequence is new: pick a chain, start in its stationary distribution,
# walk. The network sees the letters below, one by one, and predicts the next.

# %%
world = task.Mixture.draw([3], [7], states=config.states)
examples, chain = world.sample(5, 48, [seeded(7, "examples")])
for letters, n in zip(examples[0], chain[0], strict=True):
    print("".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[s] for s in letters), f"  chain {n + 1}")

# %% tags=["hide-input"]
walk = task.walk(
    world.transitions[0, :1],
    world.stationary[0, :1],
    task.uniforms((1, 24), seeded(7, "one sequence")),
)
chapter.figure(
    learning.schematic(world, walk[0]),
    id="task",
    caption="After two dozen letters the transitions give the chain away: Bi-Ret is on the truth, counting is on its way.",
    alt="Left: a transition matrix as a grey table. Right: bars of four predictions per next state, with marks for the true probabilities.",
    source=learning.schematic,
)

# %% [markdown]
# ## Build it yourself
#
# Sixty-four chains, a network, its training. First the data.

# %%
g = torch.Generator().manual_seed(0)
k, N, T = 5, 64, 64
rows = -torch.rand(N, k, k, generator=g).log()  # exponentials, normalised, are Dirichlet(1)
chains = rows / rows.sum(-1, keepdim=True)


def sample(batch):
    chain = chains[torch.randint(N, (batch,), generator=g)]  # (B, k, k)
    tokens = [torch.randint(k, (batch,), generator=g)]
    for _ in range(T - 1):
        row = chain[torch.arange(batch), tokens[-1]]  # (B, k): where each sequence stands
        tokens.append(torch.multinomial(row, 1, generator=g)[:, 0])
    return torch.stack(tokens, 1)  # (B, T)


# %% [markdown]
# What would counting transitions say? For every position the row of counts that belongs to the current state, plus one.


# %%
def count_transitions(tokens):
    one = F.one_hot(tokens, k).float()  # (B, T, k)
    pairs = one[:, :-1, :, None] * one[:, 1:, None, :]  # (B, T - 1, k, k): from, to
    counts = F.pad(pairs.cumsum(1), (0, 0, 0, 0, 1, 0)) + 1  # (B, T, k, k), a pair shorter
    row = (one[..., None] * counts).sum(2)  # (B, T, k): of the current state
    return row / row.sum(-1, keepdim=True)


held_out = sample(256)
guess = count_transitions(held_out)[:, :-1].gather(-1, held_out[:, 1:, None]).log()
print(
    f"cross-entropy of counting transitions: {-guess.mean():.3f} nats, of guessing: {np.log(k):.3f}"
)

# %% [markdown]
# The network is the plain GPT of {doc}`/book/api/nn`, ninety lines without a population. It starts from the weights of the first of two members that
# train together, as all networks of this chapter do.

# %%
shape = gpt.GPTConfig(vocabulary=k, context=T, width=32, depth=2, heads=2, tied=False)
pair = gpt.GPT(shape, seeds=[0, 1])
network = from_population(pair, member=0)
print(f"{sum(p.numel() for p in network.parameters()):,} weights")

# %%
optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
pair_optimizer = torch.optim.AdamW(pair.parameters(), lr=2e-3, weight_decay=0.01)
for _ in range(40):
    tokens = sample(16)
    logits = network(tokens)[:, :-1]
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

    together = next_token_loss(pair, tokens.expand(2, -1, -1))  # (2,): one loss per member
    together.sum().backward()
    pair_optimizer.step()
    pair_optimizer.zero_grad()
chapter.same(loss, together[0])  # forty steps later, one network and a member of two agree

# %% [markdown]
# ## Theory: four algorithms, exactly
#
# There are two ways to predict. **Retrieval** asks which of the $N$ chains this is; **inference** forgets the list and counts. And there are two statistics:
# single states (*unigrams*) or transitions (*bigrams*). With $m_j$ the number of times state $j$ was seen, $n_{ij}$ the number of transitions from
# $i$ to $j$, and $s$ the current state:
#
# | | retrieval: $\sum_n w_n\,(\cdot)_n$ | inference |
# |---|---|---|
# | **unigram** | Uni-Ret: $w_n\propto p_n\prod_u\pi_n(x_u)$, predicts $\pi_n(j)$ | Uni-Inf: $(m_j+1)/(t+1+k)$ |
# | **bigram** | Bi-Ret: $w_n\propto p_n\,\pi_n(x_0)\prod_u T_n[x_{u-1},x_u]$, predicts $T_n[s,j]$ | Bi-Inf: $(n_{sj}+1)/(n_s+k)$ |
#
# Bi-Ret is Bayes' rule for the training mixture: nothing has a lower loss **in distribution** (ID). Bi-Inf is Bayes' rule for chains that were never
# seen: what one would want **out of distribution** (OOD). A fifth, Hybrid-Ret, recognises the chain by single states and uses its rows. Distance is
# $D(\text{estimate}\,\Vert\,\text{truth})$ in nats, the direction that agrees with the lines in the paper's figures.

# %% tags=["hide-input"]
chapter.figure(
    learning.closed_forms(forms),
    id="closed-forms",
    caption="Every closed form agrees with simulation: the points, one per seed, stay within about three standard errors.",
    alt="Seven quantities with their exact values on the left and, for each, dots near zero within a grey band of three standard errors.",
    source=learning.closed_forms,
)
chapter.figure(
    learning.algorithms_against_context(main),
    id="algorithms",
    caption="On new chains counting transitions wins with every context; to recognise one of a few known chains there helps little, however long the context.",
    alt="Two panels of KL against context for five algorithms on new chains: Bi-Inf falls lowest, retrieval from few chains stays high.",
    source=learning.algorithms_against_context,
)

# %% [markdown]
# ## Does it generalise? Diversity decides
#
# Every network is held against new chains at one step: the first measured three hundred updates after the last network with most chains has come halfway, or the
# end of training. With $K$ its divergence, $S=(K-K_{\text{Bi-Inf}})/(K_{\text{Uni-Inf}}-K_{\text{Bi-Inf}})$ places it between counting states (1) and counting transitions (0).

# %%
states, transitions = (main.kl_ood_algorithm.sel(algorithm=a) for a in ("Uni-Inf", "Bi-Inf"))
S = (main.kl_ood - transitions) / (states - transitions)
chapter.same(S, scores.normalised_score(main))
at_once = S.sel(step=scores.after_transition(main)).isel(context=-1)
fall = scores.fall_within_an_octave(at_once)  # a logistic in log2 N, per seed

# %% tags=["hide-input"]
chapter.figure(
    learning.diversity_threshold(main),
    id="diversity",
    caption="With few chains the network is worse than counting states on new chains, because it recalls a wrong one; with many it counts transitions.",
    alt="KL against number of chains at one step: the out-of-distribution curve falls from above the Uni-Inf line to near the Bi-Inf line.",
    source=learning.diversity_threshold,
)
chapter.text(
    "At step {step}. "
    + (
        "In a logistic fitted to each seed **{share:.0%}** of the fall (median) lies within one octave of chains, around N = {middle:.0f}; a step would give 100 %, the paper's "
        "curve 88 %, a ramp over this grid's {octaves:.0f} octaves {ramp:.0%}."
        if main.sizes["diversity"] >= scores.POINTS_OF_A_FALL
        else "Whether the fall is a threshold or a ramp, {n} diversities cannot tell; the reference run has a fine grid."
    ),
    step=scores.after_transition(main),
    n=main.sizes["diversity"],
    share=fall.share.median(),
    middle=fall.middle.median(),
    octaves=np.log2(main.diversity[-1] / main.diversity[0]),
    ramp=1 / np.log2(main.diversity[-1] / main.diversity[0]),
)
chapter.results(threshold=fall.middle.median())

# %% [markdown]
# ## How does it come about? Abruptly, with a previous-token head
#
# Counting transitions needs two attention layers in sequence: one that tells every position what came before it, and one that looks for positions whose
# predecessor is the current state, a statistical *induction head* {cite}`olsson2022induction,edelman2024evolution`.

# %% tags=["hide-input"]
chapter.figure(
    learning.emergence(main),
    id="emergence",
    caption="At the most chains a plateau at the unigram level ends, while first-layer attention turns to the previous token.",
    alt="Left: KL against step falls from the Uni-Inf line towards the Bi-Inf line. Right: attention to the previous token rises at the same steps.",
    source=learning.emergence,
)
chapter.figure(
    learning.positions(rotary_or_learned),
    id="positions",
    caption="The same worlds and batches with rotary and with learned positions, from the release's small initial weights.",
    alt="KL against step for two kinds of positions, with the levels of Uni-Inf and Bi-Inf.",
    source=learning.positions,
)

# %% [markdown]
# ## More context, better? Not always

# %% tags=["hide-input"]
chapter.figure(
    learning.step_context_plane(main),
    id="plane",
    caption="Whether context helps on a new chain depends on diversity and on training: compare along rows and columns.",
    alt="Two heat maps of out-of-distribution KL over training step and context length for the fewest and the most chains.",
    source=learning.step_context_plane,
)
chapter.figure(
    learning.against_context(main),
    id="context",
    caption="Left: with the fewest chains context helps on known chains and not on new ones. Right: with the most, its order carries the benefit once it is long.",
    alt="Left: KL against context at the fewest chains, in and out of distribution. Right: at the most chains, with the context as it is and shuffled.",
    source=learning.against_context,
)

# %% [markdown]
# ## Four phases
#
# Two behavioural probes. **What order is worth**, $B$: how much does shuffling a known chain's sequence hurt, in units of the gap between counting states and
# transitions? **Nearness**, $R$: is the matrix that the network applies to a *new* sequence closer to one of its $N$ training chains than to any of $N$
# chains it never saw? Cut at $B>0.5$ and $R>0.75$, they give four quadrants. Order is probed on known chains, since on new ones even exact retrieval gains little from it.

# %%
read = main.isel(step=slice(1, None), shuffled_context=-1)  # the longest context, in both orders
last = read.kl_id_algorithm_last
gap = last.sel(algorithm="Uni-Inf") - last.sel(algorithm="Bi-Inf")
B = (read.kl_id_shuffled - read.kl_id_ordered) / gap
R = xr.where(B > 0.5, read.proximity_bigram, read.proximity_unigram)
labels = (B > 0.5) + 2 * (R <= 0.75)  # 0 Uni-Ret, 1 Bi-Ret, 2 Uni-Inf, 3 Bi-Inf
chapter.same(labels, scores.phase(main.isel(step=slice(1, None))))

# %% tags=["hide-input"]
chapter.figure(
    phases.phases(main),
    id="phases",
    caption="With many chains networks go over from counting states to counting transitions, and both ways to label them say so. With few they recognise a chain long before the order of its states is worth much to them.",
    alt="Four heat maps over training step and number of chains: the two probes, the phase they give, and the nearest algorithm.",
    source=phases.phases,
)
nearest = main.nearest_id.isel(step=slice(1, None), context=-1)
exact = known.sel(policy="Bi-Ret").assign(main[["kl_id_algorithm_last", "kl_ood_algorithm_last"]])
share = {name: (nearest == i).isel(diversity=0).mean() for i, name in enumerate(theory.ALGORITHMS)}
chapter.text(
    "Of all networks and steps at N = {few} the nearest algorithm is the hybrid in **{share:.0%}**, and Bi-Ret in {bi:.0%}. Shuffling known chains costs exact Bi-Ret {exact:.2f} times the gap, "
    "these networks {own:.2f} at the end. Label and nearest algorithm have the same name in {agree:.0%} of all cells: with many chains the two ways to predict from single states hardly "
    "differ, with few the probe of order does not see what the networks know.",
    few=int(main.diversity[0]),
    share=share["Hybrid-Ret"],
    bi=share["Bi-Ret"],
    exact=scores.bigram_use(exact).id.isel(diversity=0).mean(),
    own=scores.bigram_use(main.isel(step=-1)).id.isel(diversity=0).mean(),
    agree=(labels == nearest).mean(),
)

# %% [markdown]
# ## Is the network a mixture of the four?
#
# *Linear interpolation of algorithms* (LIA): the weights $w\ge0$, $\sum w=1$ that minimise the squared distance between the network's predictions and
# $\sum_a w_aP_a$ on ID sequences. Four weights have fifteen supports, so every fit is exact; a fit says itself when its weights mean nothing.
# Here for the network that you built, after its forty steps, with a general solver beside ours:

# %%
own, equal = chains.double(), torch.full((N,), 1 / N).double()
P = theory.predictions(held_out, own, task.stationary(own), equal)[:4]
Q = network(held_out).softmax(-1).detach().double()
ours = interpolate(P.flatten(1), Q.flatten())  # (4, entries) and (entries,)
sum_to_one = 1e4 * torch.ones(1, 4)  # a heavy row holds the weights together
weights, _ = nnls(
    torch.cat([P.flatten(1).T, sum_to_one]), torch.cat([Q.flatten(), sum_to_one[0, :1]])
)
print(", ".join(f"{name} {w:.2f}" for name, w in zip(theory.FOUR, weights, strict=True)))
chapter.same(weights, ours.weights)

# %% tags=["hide-input"]
chapter.figure(
    phases.residuals(main),
    id="residuals",
    caption="What is left over: the mixture of the four against the best single one, weights frozen over training, and four predictors that know nothing of the task.",
    alt="Residual against number of chains for the mixture, its controls, and a mixture with the hybrid.",
    source=phases.residuals,
)
chapter.figure(
    learning.regret(main),
    id="regret",
    caption="Distance from the exact Bayes predictor: what a better network could still gain at each context length.",
    alt="Cross-entropy above Bayes against context length at the fewest and the most chains, with a dashed line at zero.",
    source=learning.regret,
)

# %% [markdown]
# ## Transience: counting comes first and is forgotten
#
# At an intermediate diversity counting comes first, because it is quick to learn, and can then be displaced by retrieval, which pays in distribution
# {cite}`singh2023transient`. In the control every training sequence comes from a new chain, so that there is nothing to recall.

# %% tags=["hide-input"]
chapter.figure(
    phases.transience(long_run, unrepeated),
    id="transience",
    caption="Left: trained on few enough chains to recall. Right: the same when no chain comes twice. Above the divergence, below the weights of the four algorithms. A run of minutes stays on the plateau; the long run decides.",
    alt="Four panels over training step: divergence on new and known chains with its forecast, and stacked weights of the four algorithms, with and without something to recall.",
    source=phases.transience,
)
grown = scores.rise(long_run)
chapter.text(
    "From its minimum to step {steps} the divergence on new chains grows by a factor **{rise:.2f}** (mean of {n} seeds); with new chains throughout by {control:.2f}. The paper "
    "reports about 2.5 at about step 70,000 of a larger network.",
    steps=int(long_run.step[-1]),
    rise=grown.mean(),
    n=grown.size,
    control=scores.rise(unrepeated).mean(),
)

# %% [markdown]
# ## Ten states, as in the paper

# %% tags=["hide-input"]
chapter.figure(
    phases.more_states(ten, few_of_ten),
    id="ten-states",
    caption="Left: counting pairs of ten states means counting a hundred of them; the plateau is long. Right: after a short training on few chains, what context does.",
    alt="Left: KL against training step with ten states, in and out of distribution. Right: KL against context with few chains.",
    source=phases.more_states,
)

# %% [markdown]
# ## Explore: retrieval against counting
#
# Everything below is computed in your browser. Write a context, edit the true chain, change the size of the library, and watch the posterior make
# up its mind, for better (the true chain is in the library) or worse.

# %% tags=["hide-input"]
chapter.explorer(
    RetrievalExplorer(),
    id="retrieval",
    caption="Four predictions on a context of your own, the posterior over the library, and the closed-form expectation for Bi-Inf.",
    alt="An interactive panel: a chain and a context to edit, bars of four predictions against the truth, the posterior over chains, and KL against context length.",
    still=learning.schematic(world, walk[0]),
)

# %% [markdown]
# ## What holds

# %% tags=["hide-input"]
chapter.claims(CLAIMS, results)

# %% [markdown]
# ## How this differs from the paper

# %% tags=["hide-input"]
chapter.differences()

# %% [markdown]
# Thresholds in $N$ shift with the number of states, so shapes are tested, not single points. Windows that start inside a sequence would leak a
# transition to retrieval; we evaluate whole sequences from their start. Order is probed on known chains and nearness on new ones; the paper states no thresholds
# for its probes. In the networks with fewest chains another algorithm shows up, the hybrid, which the release computes and the paper does not use.

# %% [markdown]
# ## What to try
#
# | Change | Expect |
# |---|---|
# | `diversities = [4, 16, 32, 64, 128, 512]` | The networks of most chains count, those of fewest recall; between them it depends on the seed. |
# | `transience_steps = 6500`, `transience_width = 64`, `transience_heads = 4` | Loss on new chains falls, then rises again, while loss on known ones keeps falling. |
# | `positions = "learned"` | The plateau takes longer. |

# %% [markdown]
# ## Exercises
#
# **1.** After $n$ visits to a state, with $k$ states, what does Bi-Inf say of a successor that was never seen?

# %%
unseen = Exercise(
    "unseen successor",
    solution=lambda n, k: 1 / (n + k),
    cases=[(0, 5), (10, 5), (3, 2)],
    hint="Every count starts at one, also those of the other successors.",
)
answer = ...  # a function of n and k
unseen.check(answer)

# %% tags=["solution", "hide-cell"]
unseen.check(lambda n, k: 1 / (n + k))

# %% [markdown]
# **2.** How diverse is a skewed mixture? The release draws $p$ as normalised uniforms. What does the effective share of the chains,
# $\exp(\text{entropy of }p)/N$, tend to as $N$ grows?

# %%
skew = Exercise(
    "effective share",
    solution=float(np.exp(0.5) / 2),
    tolerance=0.005,
    hint="With x uniform on (0, 2), which has mean 1, the entropy falls short of ln N by E[x ln x].",
)
answer = ...  # a number
skew.check(answer)

# %% tags=["solution", "hide-cell"]
p = task.draw_weights(100_000, "normalised-uniform", seeded(0, "exercise"))
skew.check(float(torch.special.entr(p).sum().exp()) / 100_000)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
