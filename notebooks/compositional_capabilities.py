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
# # Compositional capabilities

# %% tags=["parameters", "hide-input"]
seed = 0
n_seeds = 5
device = "auto"
positions = 5
functions = 3
alphabet = 8
word = 4
width = 64
depth = 2
heads = 2
norm = "rms"
tied = False
initial_std = 0.0
vocabulary = 0
learning_rate = 0.003
final_learning_rate = 0.02
warmup = 50
beta1 = 0.9
beta2 = 0.95
weight_decay = 0.4
weight_decay_on = "all"
clip = 1.0
batch = 32
fixed_documents = 0
loss_on = "answer"
bfloat16 = False
subsets = ["base", "base 15", "random 50"]
steps = 500
checkpoints = 12
words = 2
mastery_words = 60
cell_samples = 6
direct_n = [50]
direct_steps = 1400
one_layer_n = 50
one_layer_steps = 600
further_seeds = 2
sweep_functions = [2, 3]
sweep_n = [12, 50]
sweep_steps = 20
slot_functions = 11
slot_n = [14, 57]
slot_control = [57]
slot_decides = 57
slot_depth = 3
slot_steps = 20
depths = [1, 2]
depth_n = 100
sweep_heads = [1, 2]
depth_steps = 10
lstm_n = 50
lstm_width = 128
lstm_depth = 1
lstm_learning_rate = 0.005
lstm_weight_decay = 0.1
lstm_steps = 10
deep_seeds = 2
deep_layers = [4]
deep_width = 64
deep_heads = 1
deep_settings = "release"
deep_steps = 10
bias_steps = 10
coverage = [0, 10]

# %% tags=["hide-input"]
import numpy as np
import torch
import xarray as xr
from torch.nn import functional as F

from synthcore.evidence.chapter import Chapter
from synthcore.evidence.exercise import Exercise
from synthcore.explorers.composer import ComposerExplorer
from synthcore.explorers.shared import gpt_weights
from synthcore.nn import gpt
from synthcore.nn.convert import from_population
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.claims import CLAIMS, endpoints, inside
from synthcore.studies.compositional_capabilities.config import FIRST, Config
from synthcore.studies.compositional_capabilities.experiments import (
    formats,
    mechanism,
    step_by_step,
    training_sets,
)
from synthcore.studies.compositional_capabilities.figures import generalisation
from synthcore.studies.compositional_capabilities.figures import mechanism as inner
from synthcore.studies.compositional_capabilities.task import documents
from synthcore.studies.compositional_capabilities.task.subsets import (
    Condition,
    draw_cell,
    largest_subset,
    released_subset,
)
from synthcore.training.losses import next_token_loss
from synthcore.training.seeding import seeded

config = Config.from_cell(globals())
chapter = Chapter("compositional_capabilities", config)
layout = config.layout

# %% tags=["hide-input"]
step = chapter.stage(step_by_step.run)
known = chapter.stage(step_by_step.policies)
direct = chapter.stage(formats.direct)
single = chapter.stage(mechanism.one_layer)
by_hand = chapter.stage(mechanism.constructed)
shown = chapter.stage(step_by_step.browser_network)
sets = chapter.stage(training_sets.run)
slots = chapter.stage(formats.two_slots)
shapes = chapter.stage(formats.depths)
recurrent = chapter.stage(formats.architectures)
deep = chapter.stage(mechanism.deep_networks)
bias = chapter.stage(mechanism.order_bias)
results = xr.DataTree.from_dict(
    {
        "step": step,
        "policies": known,
        "direct": direct,
        "slots": slots,
        "one_layer": single,
        "constructed": by_hand,
        "depth": shapes,
        "lstm": recurrent,
        "deep": deep,
        "bias": bias,
        "sets": sets,
    }
)

# %% tags=["hide-input"]
smallest = f"random {config.direct_n[0]}"
largest = largest_subset(step.subset.values, "random", endpoints.TENS) or smallest
n_largest = int(largest.split()[1])
best = step.sel(subset=largest)
fitted = float((direct.direct_seen / direct.memoriser_seen).isel(n=-1).median())
chapter.card(
    "Shown **{n}** of {whole:,} chains of {depth} functions, small transformers that write every intermediate word answer **{unseen:.1%}** of the others (median of "
    "{seeds} networks); at least {mastered:.0%} of all chains are mastered. Trained to answer at once they "
    + ("know" if fitted >= endpoints.FITTED else "reach")
    + " {seen:.0%} of what they saw and **{direct:.1%}** of the rest."
    + (
        " From chains of at most one function they come to {base:.1%} of those of {depth}."
        if "base" in step.subset
        else ""
    ),
    n=n_largest,
    whole=theory.in_order_size(layout),
    depth=config.positions,
    unseen=best.unseen.median(),
    seeds=best.sizes["seed"],
    mastered=(best.reached_at_least / step.attrs["whole"]).median(),
    seen=fitted,
    direct=direct.direct_unseen.isel(n=-1).median(),
    base=step.by_k.reindex(subset=["base"]).isel(k=-1).median(),
)

# %% tags=["hide-input"]
chapter.figure(
    generalisation.unseen(step, direct),
    id="unseen",
    caption="Writing every intermediate word, a few dozen random chains lead to nearly all; base functions alone do not, and answering at once does not. Dots: networks; squares: mean and 95 % interval; bars: what is identifiable.",
    alt="Dots of accuracy on unseen chains, one row per training subset: near one for random subsets step by step, near zero for base functions and for direct answers.",
    source=generalisation.unseen,
)

# %% [markdown]
# ## The question
#
# If a network knows some functions, can it apply chains of them that it never saw? {cite:t}`ramesh2023compositional` make this countable.
# A prompt names functions by task tokens and gives a word; the answer is what the chain makes of the word. Training shows a few dozen
# chains, the test asks for all of them. How many chains there are is known exactly, and so is what the training set identifies.

# %% tags=["hide-input"]
chapter.parameters(first=FIRST)

# %% [markdown]
# ## The task
#
# A **bijection** is a random order $\sigma$ of the alphabet, applied to every symbol: $y_k=\sigma[x_k]$. Each of $L$ positions has $N$ of its own and
# the identity; the first task token is applied first. A chain is **in order** if every position uses its own functions; a function is **displaced** where
# it stands at another position. Functions are drawn once per seed. Three prompts with both kinds of answer; S begins, _ separates:

# %%
drawn = documents.Functions.draw(layout, seeded(config.seed, "functions"))
for number in range(3):
    one = draw_cell(layout, layout.positions, number, 1, seeded(7, number))
    word_of_symbols = torch.randint(layout.alphabet, (1, layout.word), generator=seeded(8, number))
    for name, line in generalisation.spell_documents(layout, drawn, one, word_of_symbols):
        print(f"{number} displaced, {name:<12} {line}")

# %% tags=["hide-input"]
chapter.figure(
    generalisation.schematic(layout),
    id="task",
    caption="Every position has functions of its own. An in-order chain takes one of each column; a displaced one takes functions at positions that are not theirs.",
    alt="A grid of function names in columns, with a straight path through one row and a dotted path from the right.",
    source=generalisation.schematic,
)

# %% [markdown]
# ## Build it yourself
#
# Three positions with two functions and the identity each: 27 chains, of which twelve are shown.

# %%
g = torch.Generator().manual_seed(0)
L, C, A, K = 3, 3, 5, 3  # positions, choices, symbols, letters of a word
table = torch.stack([torch.randperm(A, generator=g) for _ in range(L * C)]).view(L, C, A)
table[:, 0] = torch.arange(A)  # choice 0 is the identity
every = torch.cartesian_prod(*[torch.arange(C)] * L)  # (27, L)
every = every[torch.randperm(len(every), generator=g)]
seen, unseen = every[:12], every[12:]


def write(chains, words):  # task tokens, the word, and every word after it
    rows, x = [A + torch.arange(L) * C + chains, words], words
    for position in range(L):
        x = table[position, chains[:, position]].gather(1, x)
        rows.append(x)
    return torch.cat(rows, 1)  # (B, L + K + L K)


# %% [markdown]
# The plain GPT of {doc}`/book/api/nn`, one layer with one head, from the weights of the first of two members that train together, as all networks of this
# chapter do.

# %%
T = L + K + L * K
shape = gpt.GPTConfig(A + L * C, T, 48, 1, 1, positions="learned", tied=False, initial_std=0.14)
pair = gpt.GPT(shape, seeds=[0, 1])
network = from_population(pair, member=0)
optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
pair_optimizer = torch.optim.AdamW(pair.parameters(), lr=5e-3)

# %%
for update in range(400):
    chains = seen[torch.randint(len(seen), (32,), generator=g)]
    lines = write(chains, torch.randint(A, (32, K), generator=g))
    logits = network(lines)[:, :-1]
    loss = F.cross_entropy(logits.flatten(0, 1), lines[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if update < 40:  # the population of two, on the same documents
        together = next_token_loss(pair, lines.expand(2, -1, -1))
        together.sum().backward()
        pair_optimizer.step()
        pair_optimizer.zero_grad()
        alone = loss.detach()
chapter.same(alone, together[0])

# %% [markdown]
# Now all words under the fifteen chains that it has never seen. A greedy answer is right if and only if every next token along the true answer is the most
# likely one, so one pass decides.

# %%
words_of_three = torch.cartesian_prod(*[torch.arange(A)] * K)
lines = write(unseen.repeat_interleave(len(words_of_three), 0), words_of_three.repeat(15, 1))
guess = network(lines)[:, :-1].argmax(-1)
right = (guess[:, L + K - 1 :] == lines[:, L + K :]).all(1).float().mean()
print(f"{right:.1%} of {len(lines)} answers to unseen chains are right")

# %% [markdown]
# ## Theory: what can be counted
#
# $E$, everything in order: $(N+1)^L$. $R$, the same strings when all positions share their functions; identities collapse, and
# $\sum_kN^k$ different functions are left. $C$, any function anywhere: $(LN+1)^L$. With $k$ functions that are not the identity, $m$ of
# them displaced, $C$ has cells of $\binom Lk\binom km N^{k-m}((L-1)N)^m$.
#
# A chain is **identifiable** if each of its functions occurs in training. For $n$ different random chains and $q=N+1$ the expected share is
#
# $$\sum_{j}(-1)^j\binom Lj\binom{q^{L-j}(q-1)^j}{n}\Big/\binom{q^L}{n}.$$

# %% tags=["hide-input"]
chapter.text(
    "Here E has {e:,}, R at most {r} and C {c:,} chains; the paper's text has 3,125, 1,365 and {paper:,}. Identifiable share of E: {shares}.",
    e=theory.in_order_size(layout),
    r=theory.repeat_size(layout),
    c=theory.out_of_order_size(layout),
    paper=theory.out_of_order_size(documents.Layout(5, 4, 10, 6)),
    shares=", ".join(
        f"{theory.identifiable_share(layout, n):.3f} (n = {n})"
        for n in (5, 10, 25)
        if n < theory.in_order_size(layout)
    ),
)

# %% [markdown]
# The oracle, drawn: the formula against one simulation.

# %%
draws = [Condition("random", (10,)).draw(layout, seeded(s, "oracle")) for s in range(50)]
in_order = documents.in_order_compositions(layout)
simulated = np.mean([float(theory.is_identifiable(in_order, d).double().mean()) for d in draws])
print(f"simulated {simulated:.3f}, exact {theory.identifiable_share(layout, 10):.3f} (n = 10)")

# %% tags=["hide-input"]
chapter.figure(
    generalisation.ceiling(layout, step, direct),
    id="ceiling",
    caption="What random training chains identify (dashed) and what networks answer: step by step they come near the bound, directly they stay below.",
    alt="Accuracy on unseen chains against the number of trained ones with a dashed rising bound; stepwise points near it, direct ones at the bottom.",
    source=generalisation.ceiling,
)

# %% [markdown]
# **Unseen** is decided on the function, not on its tokens: different strings can be the same function. **Accuracy** is the share of words whose whole greedy
# answer is right. A chain is **mastered** if at least .95 of all words are: 59 of 59 show it with 95 % confidence, so we ask for more than that and count *at least*
# by exact bounds.

# %% [markdown]
# ## How many chains does a handful give?

# %%
counted = best[["reached_at_least", "reached", "reached_far_at_least", "reached_far"]]
at_least, estimate, far_at_least, far = (float(counted[v].median()) for v in counted)

# %% tags=["hide-input"]
chapter.text(
    "**{name}**: at least **{low:,.0f}** of {whole:,} in-order chains are mastered (estimate {middle:,.0f}), {gain:.0f} for each that was shown; of all {c:,} at least {far_low:,.0f} "
    "(estimate {far:,.0f}). With given intermediate words the last one is right in {forced:.1%} of symbols, in free generation in {tokens:.1%}. Medians over networks.",
    name=largest,
    low=at_least,
    middle=estimate,
    gain=at_least / n_largest,
    whole=theory.in_order_size(layout),
    c=theory.out_of_order_size(layout),
    far_low=far_at_least,
    far=far,
    forced=best.unseen_forced.median(),
    tokens=best.unseen_tokens.median(),
)

# %% [markdown]
# ## Which chains are shown decides
#
# A *base* subset holds every function once, alone. Each network knows all functions then, and still cannot chain them.

# %% tags=["hide-input"]
chapter.figure(
    generalisation.by_functions(step),
    id="functions",
    caption="After base functions alone accuracy falls with the number of functions in a chain; a few longer chains beside them repair most of it.",
    alt="Accuracy against k for every training subset: falling to zero for base, high for the others.",
    source=generalisation.by_functions,
)

# %% [markdown]
# And in which order are chains learned? The paper: few functions first after base subsets, many first after random ones. We take the symbols of the last word, as its code
# does; whole answers get rarer with $k$ by themselves.

# %%
names = (largest_subset(step.subset.values, "base"), largest)
times = {
    name: endpoints.learning_times(step.k_accuracy.sel(subset=name)).median("seed")
    for name in names
    if name
}
for name, time in times.items():
    print(f"{name}: updates to .9, by k:", " ".join(f"{t:.0f}" for t in time.values))

# %% tags=["hide-input"]
chapter.figure(
    generalisation.over_training(step),
    id="training",
    caption="How accuracy comes, by the number of functions k: what is trained on sets the order.",
    alt="Two panels of accuracy over training on a log axis, one curve per k, for a base and a random subset.",
    source=generalisation.over_training,
)
few_first = endpoints.base_learns_few_first(results).observed
many_first = endpoints.random_learns_many_first(results).observed
chapter.text(
    "Rank correlation of k with the time to .9: **{few:.2f}** after base and some others, **{many:.2f}** after a random subset; the paper's order is 1 and −1."
    if np.isfinite([few_first, many_first]).all()
    else "In this run not every k is learned, so that there is no order to speak of.",
    few=few_first,
    many=many_first,
)

# %% [markdown]
# ## Step by step against at once
#
# The same networks and chains; one kind writes every intermediate word, the other only the last. Walks on a graph are put to the same test in
# {doc}`/notebooks/stepwise_inference`, where a good guess is possible without writing.

# %%
gap = formats.step_at_direct(step, direct, "unseen") - direct.direct_unseen  # (n, seed)

# %% tags=["hide-input"]
chapter.text(
    "At {n} chains the difference is **{gap:.2f}** (median), with {seen:.2f} of what a memoriser knows right directly. "
    "Answering with the nearest trained chain, as a memoriser would, is right in {memory:.3f}.",
    n=int(direct.n[-1]),
    gap=gap.isel(n=-1).median(),
    seen=fitted,
    memory=direct.memoriser_unseen.isel(n=-1).mean(),
)

# %% [markdown]
# The paper finds one family that does compose at once: a permutation of *places*, $y_k=x_{\pi[k]}$, and then a bijection. Our reading: $\sigma[x_{\pi[k]}]$
# **factorises**. The two commute, so attention can fetch by $\pi$ while an MLP applies $\sigma$, and nothing waits for anything. Two bijections must be applied in
# turn. That control has as many functions and pairs, but it takes away two things at once: the commuting, and routing by attention, since both functions are look-ups now.

# %% tags=["hide-input"]
chapter.figure(
    generalisation.two_slots(slots),
    id="slots",
    caption="Answered at once, by number of trained pairs: a permutation and a bijection, and the control of two bijections."
    if float(slots.slot_seen.mean()) >= 0.5
    else "Answered at once, two functions: the few updates of this run are not enough to learn the pairs that are shown.",
    alt="Accuracy on unseen pairs against trained pairs for the two families, with a dashed line for what is identifiable.",
    source=generalisation.two_slots,
)

# %% [markdown]
# ## Functions where they were never seen

# %% tags=["hide-input"]
chapter.figure(
    generalisation.cells(step),
    id="cells",
    caption="Trained in order, networks answer the bottom row and little above it. Averages over all chains must weigh these cells by their sizes.",
    alt="One heat map per training subset: accuracy by number of functions k and of displaced ones m, high in the bottom row.",
    source=generalisation.cells,
)
chapter.figure(
    generalisation.mistakes(step),
    id="mistakes",
    caption="What stands in the first wrong word of an answer to a displaced prompt: the image under the slot's own function of the same index, under another one, or neither.",
    alt="Stacked bars per training subset: shares of right answers and of four kinds of first mistake.",
    source=generalisation.mistakes,
)
released = released_subset(step.subset.values) or "none"
corrected = released.removesuffix(", code")
both_samplers = {released, corrected} <= set(step.subset.values.tolist())
three = step.cell_accuracy.where(step.m >= 3).mean(["k", "m", "seed"])
chapter.text(
    "With displaced chains in training, drawn as the official code draws them, networks answer **{code:.0%}** of prompts with three and more displaced functions. That sampler never "
    "shows the last function of a position elsewhere; drawing from all functions brings {own:.0%}."
    if both_samplers
    else "Training with displaced chains is left to the longer run: `--scale reference`.",
    code=three.sel(subset=released) if both_samplers else 0,
    own=three.sel(subset=corrected) if both_samplers else 0,
)

# %% [markdown]
# The official evaluation labels cells wrongly: it displaces $m$ of the first $k$ positions, identities or not.

# %%
number, _ = theory.count_functions(
    draw_cell(layout, 2, 2, 2000, seeded(0, "labels"), as_released=True)
)
shares = ", ".join(f"k = {k} in {float((number == k).double().mean()):.0%}" for k in range(2, 5))
print(f"labelled k = 2, m = 2 there, counted here: {shares}")

# %% [markdown]
# Why do displaced functions fail? In order, function $(d,i)$ is seen at slot $d$ only, and what a block reads from a slot mixes token and place. Three tests: rotary
# places; a decoder of the function, fitted in order; and training on a handful of displaced chains that show every (function, slot) pair.

# %% tags=["hide-input"]
chapter.figure(
    inner.order_bias(bias),
    id="order-bias",
    caption="Displaced chains by how many such were trained on, with learned and rotary places (left); displaced functions that a decoder fitted in order names right (right)."
    if float(bias.bias_near.mean()) >= 0.5
    else "Displaced chains by how many such were trained on: the few updates of this run are not enough to learn even chains in order.",
    alt="Two panels against displaced training chains: accuracy and decoded share, for learned and rotary places, with the share of pairs shown dashed.",
    source=inner.order_bias,
)

# %% [markdown]
# ## One layer: attention selects
#
# Step by step needs one look-up per block: task token $t_b$ and a symbol of the block before decide a symbol. One layer can do it: in `theory.py` its weights are
# **written by hand**. If key and value of $t_b$ come from another prompt, the block must follow that prompt's function.

# %%
written = theory.construct_one_layer(layout, drawn.tables)
print(f"one layer by hand: width {written.config.width}, hidden units {written.config.hidden}")

# %% tags=["hide-input"]
chapter.figure(
    inner.attention(single),
    id="attention",
    caption="Attention of a trained network of one layer while it writes: each block looks at its own task token (left) and at the block before it.",
    alt="Heat map: symbols written in rows, places in columns, with one bright column segment at the task token of each block and a diagonal of sources.",
    source=inner.attention,
)
one = single.sel(model="trained")
chapter.text(
    "One layer gets {unseen:.1%} of unseen answers right (median). Its own task token is first among the task tokens in **{top:.0%}** of (block, symbol) pairs, before training in {chance:.0%}; it and "
    "the source hold {mass:.2f} of the attention. With key and value patched the worst block follows in **{patch:.0%}**, with the value alone in {value:.0%}. By hand: {hand:.0%} of a sample from every cell of C.",
    unseen=single.one_layer_unseen.median(),
    top=one.selected.median(),
    chance=single.selected.sel(model="untrained").mean(),
    mass=one.selected_mass.median(),
    patch=one.patched.median(),
    value=one.patched_value.median(),
    hand=by_hand.constructed.mean(),
)

# %% [markdown]
# ## Where in the network?
#
# The first version of the paper says that attention in the second half is critical, the published one that attention selects and MLPs execute. We ask networks
# built and trained as the release's. **Mean ablation** replaces what a sub-layer adds by its mean over prompts: which share of the damage falls on the second half? The
# **logit lens**, the paper's measure, applies the output to the stream after every sub-layer.

# %% tags=["hide-input"]
composes = float(inside.deepest(results, inside.STEP).deep_exact.sel(known="unseen").mean()) >= 0.9
lesson = (
    ""
    if composes
    else " The updates of this run are not enough for them to compose: nothing follows from it."
)
chapter.figure(
    inner.ablation(deep),
    id="ablation",
    caption="Symbols lost without the attention or the MLP of one layer, in the deepest networks; dashed, the middle."
    + lesson,
    alt="Two panels, step by step and direct: symbols lost by layer, without attention and without MLP.",
    source=inner.ablation,
)
chapter.figure(
    inner.lens(deep),
    id="lens",
    caption="Symbols of the answer that can be read after every sub-layer of the deepest networks."
    + lesson,
    alt="Two panels, step by step and direct: share of right symbols after each sub-layer, for seen and unseen chains and for a fitted probe.",
    source=inner.lens,
)
chapter.figure(
    inner.by_depth(deep),
    id="by-depth",
    caption="Share of the damage by ablated attention that falls on the second half of the layers; dotted, where both halves matter alike."
    + lesson,
    alt="Share of the second half against the number of layers, for both formats, with a dotted line at one half.",
    source=inner.by_depth,
)

# %% [markdown]
# ## Other architectures
#
# The official readme says that LSTMs fail. Ours are trained until they fit what they have seen; where they do not, the claim is not testable.

# %% tags=["hide-input"]
chapter.figure(
    inner.architectures(recurrent, shapes),
    id="architectures",
    caption="Left: a transformer and an LSTM on the same chains. Right: depth in both formats."
    if float(recurrent.recurrent_seen.sel(model="LSTM").mean()) >= endpoints.FITTED
    else "A transformer beside an LSTM (left) and layers in both formats (right): where seen chains are not answered either, training was too short to tell.",
    alt="Two panels: exact match of a transformer and an LSTM on seen and unseen chains, and exact match against layers in both formats.",
    source=inner.architectures,
)

# %% [markdown]
# ## How many must be seen?
#
# If it is *every function, often enough* that counts, about the same number should do for small sets and for large ones; if it is a share of all chains, the number must grow with the set.

# %%
needed = training_sets.seen_at_half(sets).median("seed")  # per N
slope = inside.growth(sets)  # per seed: 0 a number, 1 a share

# %% tags=["hide-input"]
reached_half = inside.half_is_inside_the_sweep(results).holds
chapter.figure(
    generalisation.training_sets(sets),
    id="sets",
    caption="Accuracy on unseen chains by the number of trained ones (left) and by what these identify (right), for several numbers of functions N. Networks come later than what is identifiable (dashed)."
    if reached_half
    else "Accuracy on unseen chains by the number of trained ones and by what these identify (dashed): not every N gets half of them right in the updates of this run.",
    alt="Two panels of accuracy with intervals, one colour per N, against the number of trained chains and against the identifiable share.",
    source=generalisation.training_sets,
)
chapter.text(
    "Half of the unseen answers are right from {needed} trained chains on (medians); the number that is needed grows as the number of all to the power **{slope:.2f}**."
    if reached_half
    else "Where half of the unseen answers are right, the longer run shows: `--scale reference`.",
    needed=", ".join(
        f"{n:.0f} (N = {f})" for n, f in zip(needed.values, sets.functions.values, strict=True)
    )
    if reached_half
    else "",
    slope=slope.mean() if reached_half else 0,
)
chapter.results(
    trained=best.n_train.mean(),
    unseen=best.unseen.mean(),
    ceiling=best.ceiling.mean(),
    mastered=best.reached_at_least.mean(),
)

# %% [markdown]
# ## Explore
#
# Choose a function for every position and a word; the trained network answers in the browser. Arcs show where it looks.

# %% tags=["hide-input"]
network = generalisation.composer_weights(config, shown)
if gpt_weights.fits(network):
    chapter.explorer(
        ComposerExplorer(
            network,
            shown.shown_tables.values.astype(int),
            heads=config.heads,
            norm=config.norm,
            word_length=config.word,
            trained=shown.shown_trained.values.astype(int),
        ),
        id="composer",
        caption="A network trained on a random subset composes functions in the browser.",
        alt="Menus for the functions and a word, the blocks that the network writes, and arcs of attention.",
        still=generalisation.over_training(step),
    )
else:
    chapter.text("The network of this run is too large for a page: take a smaller `width`.")

# %% [markdown]
# Choose a training subset and a cell: what was asked, what the network wrote, and where it went wrong.

# %% tags=["hide-input"]
chapter.explorer(
    generalisation.grid_explorer(step),
    id="composition-grid",
    caption="Accuracy and examples for every cell (k, m), first seed.",
    alt="A grid of accuracies by k and m, with example prompts, answers and the first error.",
    still=generalisation.cells(step),
    source=generalisation.grid_explorer,
)

# %% [markdown]
# Move the number of training chains: what is identifiable, what was reached, out of how many.

# %% tags=["hide-input"]
chapter.explorer(
    generalisation.reachable_explorer(layout, step, direct),
    id="reachable",
    caption="Ceiling and measured points against the number of training chains; numbers mastered with their exact bounds.",
    alt="Two charts over the number of training chains: shares with a ceiling, and numbers on a log axis with the sizes of the sets.",
    still=generalisation.ceiling(layout, step, direct),
    source=generalisation.reachable_explorer,
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
# Functions that equal the identity or one another are drawn again, and all counts of unseen are by function. Combination subsets draw displaced functions from all $N$; `, code` behind
# a subset's name draws them as the official code does, which includes the identity and leaves the last function out. Claim C3 is decided on theirs. One network shape serves both
# formats, so that C4 compares nothing but the writing; direct networks get more updates. Settings were tuned on seeds 10 to 14, which are not shown. After the first check run
# direct networks got more updates (1,000, now 1,400), and their gate in C4 was set against a memoriser: chains that compute what a shown one does count as seen, and no one can know them
# by heart. The sets *E*, *R* and *C*, the
# bounds, the policies that stand in for networks and claim C13 are ours.

# %% [markdown]
# ## What to try
#
# | Change | Expect |
# |---|---|
# | `subsets = ["base", "random 50", "randombase_combo 50 50"]`, `steps = 1000` | A few dozen displaced chains beside the base ones lead to most cells. |
# | `subsets = ["random 10", "random 25", "random 50"]`, `direct_n = [10]` | Ten chains identify most functions and networks still miss most chains. |
# | `direct_steps = 4000` | Directly, what was seen is known by heart; the rest stays out of reach. |

# %% [markdown]
# ## Exercises
#
# **1.** From how many random chains on are nine tenths of the text's 3,125 identifiable (five positions, four functions)?

# %%
paper = documents.Layout(5, 4, 10, 6)
nine_tenths = Exercise(
    "nine tenths",
    solution=next(n for n in range(1, 3125) if theory.identifiable_share(paper, n) >= 0.9),
    hint="`theory.identifiable_share(paper, n)` is the expected share; find the first n.",
)
answer = ...  # a whole number
nine_tenths.check(answer)

# %% tags=["solution", "hide-cell"]
n = 1
while theory.identifiable_share(paper, n) < 0.9:
    n += 1
nine_tenths.check(n)

# %% [markdown]
# **2.** A network answers each of a chain's words right with probability $p$, independently. With what probability does it answer 59 of 59?

# %%
mastery = Exercise(
    "mastery",
    solution=lambda p: p**59,
    cases=[(0.95,), (0.99,), (0.999,)],
    hint="All must be right; for p = .95 it is just below 1/20, which is why 59 words can show mastery.",
)
answer = ...  # a function of p
mastery.check(answer)

# %% tags=["solution", "hide-cell"]
mastery.check(lambda p: p**59)

# %% [markdown]
# **3.** What share of $C$ has all five functions, at the text's size? (An unweighted mean over cells gives these six of 21 cells less than a third.)

# %%
full = Exercise(
    "all five",
    solution=sum(theory.cell_size(paper, 5, m) for m in range(6)) / theory.out_of_order_size(paper),
    tolerance=1e-3,
    hint="At each of five positions 20 of 21 functions are not the identity.",
)
answer = ...  # a share
full.check(answer)

# %% tags=["solution", "hide-cell"]
full.check((20 / 21) ** 5)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
