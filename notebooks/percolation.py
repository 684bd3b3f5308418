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

# %% tags=["parameters", "hide-input"]
seed = 0
n_seeds = 5
device = "auto"
grammar = "plain"
edges = "random"
classes = 4
entities = [80]
properties = [1280]
density = 0.15
verbs = 8
adjectives = 0
longest = 9
shares = [0.2, 0.4, 0.4]
loss = "token"
width = 64
depth = 2
heads = 2
initial_std = 0.02
learning_rate = 0.003
warmup = 50
batch = 64
steps = 600
checkpoints = 14
first_checkpoint = 30
test_lines = 32
samples = 96
bfloat16 = False
variants = []
variant_steps = 700
pair_seeds = 8
pair_entities = 80
pair_properties = [200, 400, 800, 1600]
pair_classes = 4
pair_batch = 128
pair_steps = 600
worlds = ["fragments", "clock"]
world_steps = 400
growths = 1

# %% tags=["hide-input"]
import random

import numpy as np
import torch
import xarray as xr

from synthcore.evidence.chapter import Chapter
from synthcore.evidence.exercise import Exercise
from synthcore.evidence.statistics import t_interval
from synthcore.explorers.collapse import CollapseExplorer
from synthcore.explorers.pair_training import PairTrainingExplorer
from synthcore.explorers.percolation import PercolationExplorer
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.claims import CLAIMS
from synthcore.studies.percolation.claims import language as phases
from synthcore.studies.percolation.claims import pairs as pair_claims
from synthcore.studies.percolation.config import FIRST, Config
from synthcore.studies.percolation.experiments import graphs, languages, pairs
from synthcore.studies.percolation.figures import graphs as graph_figures
from synthcore.studies.percolation.figures import languages as language_figures
from synthcore.studies.percolation.figures import pairs as pair_figures
from synthcore.studies.percolation.measure.scaling import at_best, decades, onset_noise
from synthcore.studies.percolation.model import BETAS, PairLearner, pair_loss
from synthcore.studies.percolation.task.language import TASKS, Draws
from synthcore.studies.percolation.task.vocabulary import Classes, random_edges
from synthcore.training.seeding import seeded

config = Config.from_cell(globals())
chapter = Chapter("percolation", config)

# %% tags=["hide-input"]
simulated = chapter.stage(graphs.run)
streams = chapter.stage(graphs.streams)
learners = chapter.stage(pairs.sweep)
experiments = {"graphs": simulated, "streams": streams, "pairs": learners}
trained = chapter.stage(languages.run)
experiments["languages"] = trained
if config.worlds:
    experiments["worlds"] = chapter.stage(pairs.worlds)
if config.variants:
    experiments["variants"] = chapter.stage(languages.variants)
results = xr.DataTree.from_dict(experiments)

# %% tags=["hide-input"]
first, second, third = phases.phases(phases.language(results))
gaps = xr.concat([decades(second, first), decades(third, second)], "gap")
exponent = pair_claims.pair_exponent(results)
low, high = t_interval(exponent)
cut = experiments["worlds"].sel(world="fragments 4") if "fragments" in config.worlds else None
chapter.card(
    (
        "Compared at one level, half way from chance to perfect, grammar, relative types and descriptive types come at updates **{first:.0f}**, **{second:.0f}** and **{third:.0f}** (medians of {n} networks). "
        if np.isfinite(gaps).all()
        else "In this run not every network comes half way with descriptive types. "
    )
    + (
        "Times at which classes are noticed grow with the number of properties as its power **{slope:.2f}** in the pair learner (95 % interval {low:.2f} to {high:.2f}); the threshold of percolation would give one half, and so would a rival without percolation. "
        if np.isfinite(exponent).all()
        else "Pair learners do not notice classes at every size here. "
    )
    + (
        "Cutting the graph tells percolation from its rivals: never-shown pairs that a path of shown pairs joins reach log odds of **{joined:.1f}**, and those that none joins **{apart:.1f}**."
        if "fragments" in config.worlds
        else ""
    ),
    first=first.median(),
    second=second.median(),
    third=third.median(),
    n=first.size,
    slope=exponent.mean(),
    low=low,
    high=high,
    joined=cut.odds_joined.max("step").mean() if cut is not None else 0,
    apart=np.round(at_best(cut.odds_apart, cut.odds_joined).mean(), 1) + 0
    if cut is not None
    else 0,
)

# %% tags=["hide-input"]
chapter.figure(
    language_figures.finding(trained, learners),
    id="finding",
    caption="Left: the three kinds of structure in transformers, each as a share of its way from chance to perfect; dashed, the level at which their times are compared. Right: the more properties, the later a class is noticed; grey, what three exponents would say.",
    alt="Left: three rising curves over updates on a log axis. Right: points of onset times against the number of properties on log axes, with three grey lines of different slope.",
    source=language_figures.finding,
)

# %% [markdown]
# ## The question
#
# A network trained on more data may suddenly gain a capability. {cite:t}`lubana2024percolation` call it *emergent* if several tasks that need one structure of
# the data jump together when that structure is acquired, and predict when. To treat all properties of a class alike, a learner must connect pairs
# that it never saw together. That suggests bond percolation: seen pairs join up into one giant component when about $\sqrt{|E||K|}$ of them are known, a
# vanishing part of all $|E||K|$.

# %% tags=["hide-input"]
chapter.parameters(first=FIRST)

# %% [markdown]
# ## The task
#
# **Syntax.** Subjects, then units: `is` or `has` and a property, or a verb, a preposition and objects. `and` and `or` join subjects, objects and units. The
# paper writes a context-free grammar; its language is nevertheless *regular*, and ten states decide what is grammatical.
#
# **Types.** Entities and properties fall into $|C|$ classes. Inside a class each pair is an *edge* with probability $p$. Descriptors in a sentence are edges of
# the last subject before them. A pair is *valid* if both share a class, edge or not. A verb of group $g$ links subjects of class $g$ to objects of class $g+|C|/2$.
#
# **Tasks.** Free generation; *unscrambling*, where the prompt holds the words of the sentence in random order; *conditional generation*, where it holds one word
# of each kind.

# %%
setting = languages.setting_of(config, config.entities[0], config.properties[0])
language, _ = languages.language_of(config, setting)
draw = Draws(config.seeds, "examples", device=language.device)
sentences = language.sentences(4, draw)
for task in TASKS:
    print(setting.words.words(language.lines(task, sentences[:, :1], draw)[0, 0].tolist()))

# %% tags=["hide-input"]
chapter.figure(
    graph_figures.automaton(),
    id="automaton",
    caption="Ten states decide what is grammatical; the derivations of a sentence are counted by Catalan numbers.",
    alt="A diagram of ten states joined by arrows with kinds of words.",
    source=graph_figures.automaton,
)
chapter.figure(
    graph_figures.constraint_graph(random_edges(Classes(4, 16, 80), 0.15, seeded(0, "drawn"))),
    id="language",
    caption="Training shows the dark pairs only; all coloured ones are valid.",
    alt="A matrix of entities by properties with four coloured class blocks, a few of their cells dark.",
    source=graph_figures.constraint_graph,
)

# %% [markdown]
# ## Build it yourself
#
# A grammar, a graph, and the sentences that both write together:

# %%
RULES = {
    "S": [(1.0, "NP VP <eos>")],
    "NP": [(0.8, "subject"), (0.2, "NP and NP")],
    "VP": [(0.4, "is property"), (0.4, "verb on RELNP"), (0.2, "VP and VP")],
    "RELNP": [(0.7, "object"), (0.3, "object and RELNP")],
}
rng, g = random.Random(0), torch.Generator().manual_seed(0)
same = torch.arange(24)[:, None] // 6 == torch.arange(240) // 60  # (24, 240): four classes
shown = same & (torch.rand(24, 240, generator=g) < 0.15)  # what training may show


def expand(symbol):
    if symbol not in RULES:
        return [symbol]
    chances, rules = zip(*RULES[symbol], strict=True)
    chosen = rng.choices(rules, chances)[0]
    return [word for part in chosen.split() for word in expand(part)]


def write():
    """A sentence, and the pairs (last subject, property) that it reveals."""
    words, revealed, group = expand("S"), [], rng.randrange(4)
    for i, word in enumerate(words):
        if word == "subject":
            entity = 6 * group + rng.randrange(6)
            words[i] = f"e{entity}"
        if word == "property":
            chosen = rng.choice(shown[entity].nonzero()[:, 0].tolist())
            words[i] = f"d{chosen}"
            revealed.append((entity, chosen))
    return " ".join(words), revealed


print("\n".join(write()[0] for _ in range(3)))
seen = torch.tensor([pair for _ in range(4000) for pair in write()[1]])

# %% [markdown]
# A learner of pairs: the probability of property $k$ given entity $e$ is a softmax of $u_e\cdot v_k$. A population of two, as all pair learners of this chapter
# train, does the same beside it.

# %%
both = PairLearner(24, 240, seeds=[0, 1])
U, V = (weight[0].detach().clone().requires_grad_() for weight in both.parameters())
ours = torch.optim.AdamW([U, V], lr=3e-3, betas=BETAS, weight_decay=0.0)
theirs = torch.optim.AdamW(both.parameters(), lr=3e-3, betas=BETAS, weight_decay=0.0)
for _ in range(400):
    entity, chosen = seen[torch.randint(len(seen), (128,), generator=g)].T
    loss = torch.nn.functional.cross_entropy(U[entity] @ V, chosen)
    loss.backward()
    ours.step()
    ours.zero_grad()

    pair_loss(both, torch.stack([entity, chosen], -1).expand(2, -1, -1)).sum().backward()
    theirs.step()
    theirs.zero_grad()
chapter.same(U @ V, both(torch.arange(24).expand(2, -1))[0])

# %%
p = (U @ V).softmax(-1)
held = p[same & ~shown].mean() / p[~same].mean()
print(f"never-shown pairs of a class: {held:.1f} times as likely as pairs across classes")

# %% [markdown]
# ## What percolation says
#
# An entity has $q|K|$ known properties, and each of these $q|E|$ entities. A chain of pairs goes on for ever if $q^2|E||K|>1$: the threshold is
# $p_c=1/\sqrt{|E||K|}$. The shares of both sides in the giant component solve $S_E=1-e^{-q|K|S_K}$, $S_K=1-e^{-q|E|S_E}$, and a path joins the share $S_ES_K$ of pairs.
# In the paper's words: with the *concept density matrix* $D$ of pairs seen together, $(DD^\top)^nD$ joins pairs at distance $2n+1$ or less, and pairs in different
# components never.

# %% tags=["hide-input"]
chapter.figure(
    graph_figures.propagation(seed=config.seed),
    id="propagation",
    caption="What powers of the density matrix join, rows and columns sorted by component: little below the threshold, and above it most, from a few percent of the pairs.",
    alt="Four small matrices: two edge probabilities, powers 0 and 12. Blocks stay small in the first row and fill the matrix in the second.",
    source=graph_figures.propagation,
)
chapter.figure(
    graph_figures.percolation(simulated),
    id="percolation",
    caption="Left: simulated graphs lie on the fixed point. Right: the second component is largest near the threshold.",
    alt="Joined pairs against edge probability over its threshold with theory dashed; size of the second component with a peak near one.",
    source=graph_figures.percolation,
)
chapter.figure(
    graph_figures.collapsed(simulated),
    id="simulated-collapse",
    caption="One half is the exponent of the threshold. Whole curves collapse with it if both sides grow; if |K| grows alone, as in the paper's sweep, the number of edges that joins nearly all pairs grows in proportion to |K|.",
    alt="Curves of joined pairs against rescaled edges, on top of each other and fanning out, and the local exponent rising from one half to one.",
    source=graph_figures.collapsed,
)

# %% [markdown]
# **When?** A batch of 128 sentences mentions $128\cdot\frac23\approx85$ pairs. If a pair counts only after $n$ presentations, the critical time grows as
# $(|E||K|)^{1-1/(2n)}$: only $n=1$ gives one half, and no $n$ more than one.

# %%
mentions = 128 * theory.MENTIONS_PER_SENTENCE  # per iteration, at the paper's sizes
critical = {n: theory.critical_mentions(900, 18_000, 10, 0.15, n) / mentions for n in (1, 2, 10)}

# %% tags=["hide-input"]
chapter.text(
    "At |E| = 900, |K| = 18,000: n = 1 at iteration {one:,.0f}, n = 2 at {two:,.0f}, n = 10 at {ten:,.0f}. The paper sees descriptive types rise after about ten thousand: "
    "percolation of what was seen once comes some two hundred times too early, so that only its exponent can be compared.",
    one=critical[1],
    two=critical[2],
    ten=critical[10],
)

# %% [markdown]
# **A rival.** Start a factorised model near zero. Its expected first gradient has the classes as leading singular vectors, with value $1/\sqrt{|E||K|}$ whatever $p$ is, and
# gradient descent escapes along them after a time proportional to $\sqrt{|E||K|}$. An exponent of one half does not single percolation out; changing the graph does.
#
# ## Design by power
#
# Other rivals are one third and one. How many sizes, over which range, and how many seeds tell one half from one third? Onset times scatter around a line by an amount that pair learners
# and graphs show; the rest is arithmetic.

# %%
pair_noise = onset_noise(pair_claims.onset_times(learners), "properties")
graph_noise = onset_noise(simulated.onset_edges, "properties")

# %% tags=["hide-input"]
chapter.figure(
    pair_figures.design(pair_noise, graph_noise),
    id="design",
    caption="Probability that the rule of claim C8 tells an exponent of one half from one third. A wider range does what more seeds do: three sizes over a factor of four need the most seeds. Against one the margin is three times as wide.",
    alt="Two tables of power by design and number of seeds, low in the top left and near one at the bottom right.",
    source=pair_figures.design,
)

# %% [markdown]
# ## Pairs alone: classes, and then memory
#
# Same-class pairs that are never shown become likely long before they are told apart from edges; then the model learns better. Since training shows edges only, for ever, the best possible
# model gives never-shown pairs nothing: generalisation to the class is transient. The networks of {doc}`/notebooks/icl_markov` give counting up for looking up in the same way.

# %% tags=["hide-input"]
chapter.figure(
    pair_figures.memory(learners),
    id="memory",
    caption="Where the probability of properties goes over training: to edges, to same-class pairs that are never shown, to other classes; at the fewest properties and at the most.",
    alt="Two panels over training: probability on edges, on never-shown same-class pairs and on other classes.",
    source=pair_figures.memory,
)
chapter.figure(
    pair_figures.onsets(learners),
    id="onsets",
    caption="Times at which the class is noticed, with percolation after n presentations scaled to the smallest |K| (grey).",
    alt="Onset times of the pair learner against the number of properties on log axes with three grey lines.",
    source=pair_figures.onsets,
)

# %% [markdown]
# ## Do the phases come in order?
#
# Sampled sentences reach .9 grammaticality late and by chance, and metrics start from different levels of chance. So we compare probabilities at one level: each metric's way from chance to perfect.

# %%
curves = phases.language(results)
chance_of_words = curves.syntax_chance.mean()  # share of words that the grammar allows
halfway = phases.phases(curves)  # updates at which each metric stays half way

# %% tags=["hide-input"]
chapter.figure(
    language_figures.learning_curves(trained),
    id="learning",
    caption="Checks of sampled sentences, both tasks with a prompt, and losses, at the largest |K|.",
    alt="Four panels over updates: grammaticality and types of samples, exact match and right tokens of unscrambling, given words used, and losses with the entropy of the language dashed.",
    source=language_figures.learning_curves,
)
chapter.figure(
    language_figures.linear_time(trained),
    id="linear",
    caption="The same phases over linear time, where a saturating curve looks less sharp.",
    alt="Four curves over linear time.",
    source=language_figures.linear_time,
)
chapter.figure(
    language_figures.likelihoods(trained),
    id="likelihoods",
    caption="Log likelihood that valid sentences have ahead of sentences with one thing changed.",
    alt="Five rising curves over updates: gaps to sentences with other words or in random order.",
    source=language_figures.likelihoods,
)
best = at_best(curves.never_left, curves.never_odds)
chapter.text(
    "At the end the loss is {excess:.2f} nats per token above the entropy of the language; unscrambling is exact in {relative:.1%} of relative and {descriptive:.1%} of descriptive sentences.",
    excess=curves.excess_loss.isel(step=-1).mean(),
    relative=curves.exact.sel(sort="relative").isel(step=-1).mean(),
    descriptive=curves.exact.sel(sort="descriptive").isel(step=-1).mean(),
)

# %% [markdown]
# ## Is it more than memory?
#
# "e1 and e2 is d" shows an edge of e2 only, yet names e1 and d together. So we count every training line, and ask about pairs that truly never met.

# %% tags=["hide-input"]
chapter.figure(
    language_figures.never_met(trained),
    id="never-met",
    caption="Left: pairs of one class, against pairs across classes. Right: how many same-class pairs have not stood in one line.",
    alt="Left: two curves of log odds over updates. Right: a falling share.",
    source=language_figures.never_met,
)
chapter.text(
    "At the best checkpoint {left:.0%} of them had not met; their log odds are {odds:.2f}, where a table of counts has {memory:.2f}.",
    left=best.mean(),
    odds=curves.never_odds.max("step").mean(),
    memory=learners.memory_odds.isel(properties=-1).mean(),
)

# %% [markdown]
# ## What more properties change

# %% tags=["hide-input"]
chapter.figure(
    language_figures.sizes(trained),
    id="sizes",
    caption="Times of the three phases against |K|, and the probability of the class over training; one |K| where the run has only one.",
    alt="Left: times against the number of properties, three colours. Right: curves of class probability, one per size.",
    source=language_figures.sizes,
)

# %% [markdown]
# ## Cut the graph
#
# If percolation is the reason, what no path joins is never learned. Pair learners, on graphs that differ in one thing:

# %% tags=["hide-input"]
if config.worlds:
    chapter.figure(
        pair_figures.densities(experiments["worlds"]),
        id="interventions",
        caption="How much likelier than pairs across classes are never-shown pairs of a class that a path of edges joins, and that none joins? Left: over the density. Right: classes in four fragments without edges between them, degrees unchanged.",
        alt="Log odds of joined and of separate pairs against density, and over training in fragments.",
        source=pair_figures.densities,
    )
    chapter.figure(
        pair_figures.clocks(experiments["worlds"]),
        id="clocks",
        caption="What sets the clock: times of the onset over the base world's, with interval over seeds. Percolation counts presentations, so that twice the batch would halve them; Adam counts updates.",
        alt="Ratios of onset times of several worlds with error bars and lines at one half, one and root two.",
        source=pair_figures.clocks,
    )
if "noise" in config.worlds:
    chapter.figure(
        pair_figures.noise(experiments["worlds"]),
        id="noise",
        caption="Edges across classes, with the share at which classes stop being detectable in a sparse graph.",
        alt="Best log odds falling with the share of edges across classes, and a dashed line.",
        source=pair_figures.noise,
    )

# %% [markdown]
# A transformer reads whole sentences, and these join what pairs leave apart: verbs go with classes (I3), and two subjects are of one class (I4).

# %% tags=["hide-input"]
if any("fragments" in name for name in config.variants):
    chapter.figure(
        language_figures.bridges(experiments["variants"]),
        id="bridges",
        caption="Transformers on classes in four fragments, by what sentences there are.",
        alt="Panels of log odds over training for joined and separate pairs, one per kind of sentences.",
        source=language_figures.bridges,
    )
else:
    chapter.text("*These networks are trained at scale* reference.")

# %% [markdown]
# ## Text or code?
#
# The paper's text and its release differ: shares of tasks, pattern and density of edges, optional words, the loss. Each is a parameter, and a variant of the smallest language.

# %% tags=["hide-input"]
if any("of the" in name for name in config.variants):
    chapter.figure(
        language_figures.settings(experiments["variants"], trained),
        id="settings",
        caption="Times of the phases with one setting changed, over those of the base language; a phase that is not reached has no point.",
        alt="Ratios of times for several settings, three colours, around a line at one.",
        source=language_figures.settings,
    )
else:
    chapter.text("*These networks are trained at scale* reference.")

# %% [markdown]
# ## Explore: percolation
#
# Move the number of mentions across the threshold, make the graph longer, or ask for two or three mentions per pair. Then rescale time.

# %% tags=["hide-input"]
chapter.explorer(
    PercolationExplorer(density=0.15),
    id="percolation-explorer",
    caption="Percolation of pairs within classes, computed in the browser.",
    alt="Sliders for the numbers of entities, properties and mentions, a matrix of pairs sorted by component, and the share of joined pairs against mentions for three sizes.",
    still=graph_figures.percolation(simulated),
)

# %% [markdown]
# ## Explore: train it here
#
# A pair learner of a few thousand numbers, trained in your browser. Press *Train*: a plateau at chance, an onset, and then memory. Move $|K|$ and train again; the power with which
# onsets grow is written below the buttons. Then a density so small that the graph does not percolate.

# %% tags=["hide-input"]
chapter.explorer(
    PairTrainingExplorer(),
    id="training-explorer",
    caption="A pair learner trained in the page: where its probability goes, and the share of pairs that those shown so far join.",
    alt="An interactive panel with buttons to train, pause and restart a small model: the probability of the class, of edges and of never-shown pairs over updates, and the share of pairs that shown pairs join.",
    still=pair_figures.memory(learners),
)

# %% [markdown]
# ## Explore: collapse
#
# Move the exponent until the curves lie on one another, and watch the residual. Try *simulated graphs, |E| fixed*: exact percolation, and yet no exponent collapses it.

# %% tags=["hide-input"]
chapter.explorer(
    CollapseExplorer(pair_figures.collapsible(learners, trained, simulated)),
    id="collapse-explorer",
    caption="Data collapse of this run's curves and of simulated graphs; the residual is computed in the browser.",
    alt="A list of metrics and a slider for the exponent above curves on rescaled time and the residual against the exponent.",
    still=graph_figures.collapsed(simulated),
    source=pair_figures.collapsible,
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
# Prompts are shorter: a task token, the given words, an end token. Verbs link subjects of one class to objects of another (code). Properties are single words; the code splits them
# into names and values. In conditional generation every kind of word that occurs is named once; the code draws a random subset first. Given words are compared as tokens, not as
# substrings. Skeletons are drawn from a table of 16,384, the same for all seeds, whose entropy is what the loss is held against. A softmax starts at $1/|C|$, so a plateau of the class in pair
# learners is their initial condition; claim C5 asks about networks that already write descriptors. A curve that does not grow has no exponent. The pair learner, worlds and fragments are ours.

# %% [markdown]
# ## What to try
#
# | Change | Expect |
# |---|---|
# | `worlds = ["density"]` | Below the threshold little is joined, and what is not joined is not learned. |
# | `pair_properties = [400, 800]` | Two sizes: the exponent's interval becomes wide. |
# | `shares = [0.8, 0.1, 0.1]` | The text's shares: fewer sentences to unscramble, and copying forms later. |

# %% [markdown]
# ## Exercises
#
# **1.** With $|E|$ entities, $|K|$ properties and $|C|$ classes of equal size, edges of density $p$: which share of the edges must have been seen for every class to percolate?

# %%
needed = Exercise(
    "share of edges",
    solution=lambda e, k, c, p: c / (p * (e * k) ** 0.5),
    cases=[(900, 18_000, 10, 0.15), (80, 2560, 4, 0.3)],
    tolerance=1e-3,
    hint="A class is a graph of its own, of |E| / |C| entities and |K| / |C| properties.",
)
answer = ...  # a function of e, k, c and p
needed.check(answer)

# %% tags=["solution", "hide-cell"]
needed.check(lambda e, k, c, p: theory.threshold(e // c, k // c) / p)

# %% [markdown]
# **2.** Predictions are uniform and every same-class pair is equally often shown. The gradient of the expected loss by the $|E|\times|K|$ logits has the entries $(1-|C|[\text{same class}])/(|E||K|)$.
# How large is its largest singular value for $|E|=20$, $|K|=60$, $|C|=4$?

# %%
mode = Exercise(
    "class mode",
    solution=1 / (20 * 60) ** 0.5,
    tolerance=1e-4,
    hint="Build the matrix and take numpy.linalg.svd of it.",
)
answer = ...  # a number
mode.check(answer)

# %% tags=["solution", "hide-cell"]
one_class = Classes(4, 20, 60).same.double().numpy()
mode.check(float(np.linalg.svd((1 - 4 * one_class) / one_class.size, compute_uv=False)[0]))

# %% [markdown]
# **3.** With $|E|$ fixed, the number of edges that joins 95 % of the pairs grows as which power of $|K|$?

# %%
saturated = Exercise(
    "saturation",
    solution=1.0,
    tolerance=0.02,
    hint="The last properties to join must have an edge at all.",
)
answer = ...  # a number
saturated.check(answer)

# %% tags=["solution", "hide-cell"]
saturated.check(graph_figures.local_exponents(np.array([0.95]))[0])

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
