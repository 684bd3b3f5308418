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
# # Stepwise inference as graph navigation

# %% [markdown]
# ## The question
#
# Why does it help a language model to write its steps down? {cite:t}`khona2024stepwise` replace the reasoning problem by a walk. A graph is
# hidden in the training data. The question is whether a goal can be reached from a start; the steps are the edges of a way there. A network
# that must answer at once and one that writes the way first are trained on the same pairs. Nothing here is vague: the number of paths, the
# probability of each, the best possible policy and what every shortcut would score can all be computed. So we ask how large the gain of
# writing is, whether it comes from *stitching* short pieces together, what temperature does to the paths, and how one attention layer walks.

# %% [markdown]
# The parameters of this chapter. Change one and run all cells; a value that makes no sense is refused in one sentence.

# %% tags=["parameters"]
seed = 0
n_seeds = 4
device = "auto"
nodes = 100
edge_probability = 0.075
layers = 8
layer_width = 12
layer_probability = 0.15
share = 0.2
formats = ["step", "direct"]
width = 64
depth = 2
learning_rate = 0.003
batch = 64
steps = 1200
checkpoints = 12
test_pairs = 200
repeats = 8
temperature_pairs = 12
samples = 1000
monte_carlo = 60
near = [2, 3, 4]
far = 5
stitch_steps = 500
shift = 8
mechanism_nodes = 50
mechanism_probability = 0.12
mechanism_share = 0.8
mechanism_steps = 1000
motifs = 8
motif_nodes = 8
motif_probability = 0.5
between = 2
motif_steps = 0
motif_context = 128
motif_shift = 64

# %% tags=["hide-input"]
import numpy as np

from synthcore.evidence.chapter import Chapter
from synthcore.explorers.goal_field import GoalFieldExplorer
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.studies.stepwise_inference import measure, theory
from synthcore.studies.stepwise_inference.claims import CLAIMS
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments import (
    assemble,
    navigation,
    one_layer,
    sampling,
    steering,
    stitching,
)
from synthcore.studies.stepwise_inference.figures import navigation as figures
from synthcore.studies.stepwise_inference.task import graphs, lines
from synthcore.training.seeding import seeded

config = Config.from_cell(globals())
chapter = Chapter("stepwise_inference", config)

# %% [markdown]
# ## The task
#
# A **Bernoulli** graph has an edge $i\to j$ with probability $p$ for every $i<j$. A **layered** graph has edges from one layer to the next
# only. Pairs of a start $s$ and a goal $g$ become lines of text; the graph is never shown. Change the seed and look.

# %%
small = graphs.bernoulli_graph(12, 0.25, seeded(4))
vocabulary = lines.Vocabulary(12)
pair = lines.candidate_pairs(small)[-1]
path = graphs.PathSampler([small]).sample(pair[None, :1], pair[None, 1:], seeded(0))[0, 0]
examples = [vocabulary.encode(pair[1], walk, vocabulary.path) for walk in (path, pair[:1])]
apart = lines.negative_pairs(small)[1][0]
examples.append(vocabulary.encode(apart[1], apart[:1], vocabulary.nopath))
chapter.figure(
    figures.question(small, path.tolist(), [vocabulary.decode(e.tolist()) for e in examples]),
    id="question",
    caption="A graph, one way through it, and three lines: the stepwise and the direct answer to the same question, and a goal out of reach. The prompt is the first three tokens.",
    alt="Left: a graph of twelve numbered nodes with one path in colour. Right: three lines of tokens that begin with target, goal and start.",
)

# %% [markdown]
# A fifth of the connected pairs, every single edge, and a fifth of the unconnected pairs are trained on, half connected and half not. A
# stepwise line shows one path, drawn uniformly from *all* paths of its pair. **Negatives decide what is tested.** Most unconnected pairs
# are in the wrong order, and the order alone settles them. *Hard* negatives are in the right order and still out of reach. Before anything
# was run we fixed that **hard negatives, as many as connected pairs, decide the claims about the gap**; the mixed test is reported beside.

# %% [markdown]
# ## Theory: counting paths without listing them
#
# With adjacency $A$, $P=(I-A)^{-1}=I+A+A^2+\dots$ counts the paths of every pair. A walk to $g$ that goes from $i$ to $j$ with probability
#
# $$\pi(j\mid i,g)=\frac{A_{ij}\,P_{jg}}{P_{ig}}$$
#
# is uniform over all paths. That is how lines are drawn, and it is also the **Bayes-optimal policy** for them: it depends on the place and the
# goal and not on the start. The mean length of a path is $(PAP)_{sg}/P_{sg}$. Over random graphs, $\mathbb E P_{ij}=p(1+p)^{j-i-1}$
# (Bernoulli), and $n^{d-1}p^d$ across $d$ layers.

# %%
hidden = [navigation.hidden_graph(config, "bernoulli", s) for s in config.seeds]
number = np.mean([g.counts.numpy() for g in hidden], 0)
gaps = range(5, config.nodes, config.nodes // 5)
chapter.text(
    "Mean number of paths across an index gap, in these graphs and expected: {table}.",
    table="; ".join(
        f"gap {k}: {np.diagonal(number, k).mean():.2f} and "
        f"{theory.expected_paths(k, config.edge_probability):.2f}"
        for k in gaps
    ),
)

# %% [markdown]
# ## Models and training
#
# Transformers of two layers with one head, as in the paper, learned positions and tied embeddings; every seed has a graph, a split and a network of
# its own, and all seeds train as one population. Both formats take equally many updates on equally many lines.

# %%
data, population = navigation.run(config, chapter.progress)

# %%
parts = [
    data,
    sampling.run(config, population),
    stitching.run(config, chapter.progress),
    one_layer.run(config, population, chapter.progress),
]
parts += [steering.run(config, chapter.progress)] if config.motif_steps else []
data = assemble(config, parts)
chapter.save(data)

# %% [markdown]
# ## Does writing the way improve the verdict?
#
# Here the written steps lead to a yes or no that could also be guessed. In {doc}`/notebooks/compositional_capabilities` they are intermediate results without which the answer cannot be had.

# %%
chapter.figure(
    figures.accuracy_over_training(data),
    id="gap",
    caption="Held-out accuracy on hard negatives. Black: what an additive guess from start, goal and gap, and the product of the two reach counts score.",
    alt="Accuracy over training steps on a log axis, one panel per graph type, for stepwise and direct networks, with dotted levels of three shortcuts.",
)
last = data.isel(step=-1)
chapter.text(
    "Stepwise less direct: **{b:.3f}** on Bernoulli and **{h:.3f}** on layered graphs with hard negatives; {bm:.3f} and {hm:.3f} on the mixed "
    "test. The additive shortcut scores {add:.3f} and {addh:.3f}. The first token of the stepwise answer alone scores {first:.3f} on Bernoulli "
    "graphs, the whole answer {whole:.3f}: in this format the first token decides, and walking corrects next to nothing. Of the held-out "
    "Bernoulli pairs {seen:.0%} had occurred in training as (node on a path, goal); recall is {rs:.3f} on these and {ru:.3f} on the others.",
    b=measure.accuracy_gap(data, "bernoulli").mean(),
    h=measure.accuracy_gap(data, "layered").mean(),
    bm=measure.accuracy_gap(data, "bernoulli", "mixed").mean(),
    hm=measure.accuracy_gap(data, "layered", "mixed").mean(),
    add=data.baseline_accuracy.sel(
        kind="bernoulli", baseline="start + goal + gap", test="hard"
    ).mean(),
    addh=data.baseline_accuracy.sel(
        kind="layered", baseline="start + goal + gap", test="hard"
    ).mean(),
    first=measure.accuracy(last.first_recall.sel(kind="bernoulli", format="step")).mean(),
    whole=measure.accuracy(last.recall.sel(kind="bernoulli", format="step")).mean(),
    seen=data.share_seen.sel(kind="bernoulli", format="step").mean(),
    rs=data.recall_seen.sel(kind="bernoulli", format="step").mean(),
    ru=data.recall_unseen.sel(kind="bernoulli", format="step").mean(),
)

# %% [markdown]
# ## Is it stitching?
#
# Train on pairs at most $\Delta$ layers apart, test on far ones. If writing helps because it joins short pieces, its gain must be largest
# at the smallest $\Delta$. Two things speak against an easy answer. A stepwise network must write longer answers than it has ever seen; so that
# it does not meet untrained position vectors there, answers are shifted to random places in training. And far reachability hardly needs
# paths at all: how many nodes the start reaches, times how many reach the goal, nearly settles it.

# %%
chapter.figure(
    figures.stitching(data),
    id="stitching",
    caption="Left: the gap on far pairs against the distance of the training pairs. Middle: accuracies, and the share of right written paths. Right: recall by distance, stepwise solid and direct dotted.",
    alt="Three panels: the gap against Delta, the accuracies of both formats and the share of right paths against Delta, and recall against the distance between start and goal.",
)
far_gap = measure.far_accuracy_gap(data).mean("seed")
chapter.text(
    "Far gap: {gaps}. The reach-product rule, an oracle, scores {product:.3f} on the far test.",
    gaps=", ".join(
        f"{float(v):+.3f} ({'all distances' if d == 0 else f'Δ = {d}'})"
        for d, v in zip(far_gap.near.values, far_gap.values, strict=True)
    ),
    product=data.far_baseline.sel(baseline="reach product (oracle)", test="hard").mean(),
)

# %% [markdown]
# ## Temperature
#
# For a pair with $P_{sg}$ paths the network's probability of each valid path is exact: run it on all valid prefixes, divide the logits by
# $T$, multiply along each path. Accuracy is the sum; the expected number of *different* right paths among $n$ answers is
# $\sum_r1-(1-p_r)^n$. The sum does not say at *which* step a walk was decided. That is asked in {doc}`/notebooks/forking_paths`, of texts whose graph nobody knows.

# %%
chapter.figure(
    figures.temperature(data),
    id="temperature",
    caption="Accuracy falls with temperature and different answers become more; right paths are found most at a temperature in the middle. Lines are exact but for the last panel, crosses are sampled.",
    alt="Three panels against temperature: accuracy falls from near its maximum to zero, distinct right paths rise to a maximum and fall, different answers rise.",
)
valid_paths = data.temperature_distinct_valid.mean(["question", "seed"])
chapter.text(
    "Most right paths, {most:.1f} of {all:.1f}, are found at temperature {at:g}. Sampled and exact accuracy differ by at most {off:.3f} on average.",
    most=valid_paths.max(),
    all=data.temperature_paths.mean(),
    at=valid_paths.temperature[valid_paths.argmax()],
    off=abs(
        data.sampled_accuracy.mean(["question", "seed"]).values
        - data.temperature_accuracy.mean(["question", "seed"])
        .sel(temperature=data.sampled_temperature.values)
        .values
    ).max(),
)

# %% [markdown]
# ## Are written paths short?
#
# Sampled at temperature 1, because the most probable answer of even the optimal policy is longer than its average path.

# %%
chapter.figure(
    figures.path_lengths(data),
    id="lengths",
    caption="Left: lengths of right answers. Right: how many edges longer they are than the answers of four walkers to the same pairs.",
    alt="Left: histogram of path lengths. Right: four points with intervals, differences from shortest path, viable walk, uniform path and greedy walk.",
)
difference = data.length_difference.mean("seed")
chapter.text(
    "Right answers differ by **{uniform:+.2f}** edges from uniform paths, by {viable:+.2f} from a walk uniform over viable children and by "
    "{shortest:+.2f} from shortest paths; {valid:.0%} of the sampled answers are right.",
    uniform=difference.sel(reference="uniform path"),
    viable=difference.sel(reference="viable walk"),
    shortest=difference.sel(reference="shortest"),
    valid=data.valid_sampled.mean(),
)

# %% [markdown]
# ## Which failure goes first?
#
# An answer can leave the graph (misstep) or stay on it and miss the goal (failure of planning). The two shares are inclusive: an answer can
# do both.

# %%
chapter.figure(
    figures.failures(data),
    id="failures",
    caption="Failures among sampled stepwise answers that walk, over training.",
    alt="Shares of answers with a misstep and of answers that miss the goal fall over training steps on a log axis, with single steps off the graph in grey.",
)
stepwise = data.sel(kind="bernoulli", format="step")
chapter.text(
    "Half-times on Bernoulli graphs: {mis:.0f} steps for answers with a misstep, {edge:.0f} for single steps, {goal:.0f} for answers that miss "
    "the goal. An answer of several steps has a misstep far more often than a step is one, and the goal can be reached by a jump.",
    mis=measure.half_time(stepwise.misstep).mean(),
    edge=measure.half_time(stepwise.edge_error).mean(),
    goal=measure.half_time(stepwise.astray).mean(),
)

# %% [markdown]
# ## One layer: goal vector plus node vector
#
# A network of one attention layer without MLP. If it attends to the goal and the current node only, the logit of a next node $x$ is the sum
# of two tables, $S_1[g,x]+S_2[c,x]$.

# %%
chapter.figure(
    figures.tables(data),
    id="tables",
    caption="The two tables of a trained one-layer network, and what they should know: the distance to the goal, and the edges.",
    alt="Four heat maps: S1 by goal and candidate, minus the distance, S2 by current node and candidate, and the adjacency matrix.",
)
chapter.text(
    "The full network steps along an edge in {full:.1%} of places; the rule with each place's own attention weights keeps {rule:.3f} of that, with "
    "constant weights {constant:.3f}, the best two tables {best:.3f} (two-layer networks: {two:.3f}). Attention on goal and current node is "
    "{mass:.3f}; $S_1$ correlates with minus the distance at {rho:.2f}; $S_2$ tells edges with AUC {auc:.3f}.",
    full=data.full_accuracy.mean(),
    rule=(data.rule_accuracy / data.full_accuracy).mean(),
    constant=(data.constant_rule_accuracy / data.full_accuracy).mean(),
    best=(data.additive_accuracy / data.full_accuracy).mean(),
    two=data.two_layer_kept.mean(),
    mass=data.attention_mass.mean(),
    rho=data.distance_correlation.mean(),
    auc=data.adjacency_auc.mean(),
)

# %% [markdown]
# ## Explore
#
# Choose a pair and move the temperature: edges are as thick as the probability of the paths through them.

# %%
pairs, trees, logits = sampling.explorer_data(data)
adjacency = data.explorer_adjacency.values.astype(bool)
chapter.explorer(
    NavigationExplorer(figures.node_coordinates(adjacency), adjacency, pairs, trees, logits),
    id="navigation",
    caption="Exact path probabilities at every temperature.",
    alt="A graph with the paths of one pair as bundles, and curves of accuracy and of distinct right paths over temperature.",
    still=figures.temperature(data),
)

# %% [markdown]
# Click a goal: nodes take the colour of $S_1$. Step the walk that always takes the largest sum of the two tables.

# %%
edges = data.mechanism_adjacency.values.astype(bool)
chapter.explorer(
    GoalFieldExplorer(
        data.goal_scores.values, data.step_scores.values, edges, figures.node_coordinates(edges)
    ),
    id="goal-field",
    caption="The simplified rule of the one-layer network, one step at a time.",
    alt="A graph whose nodes are coloured by the learned goal score, with a walk drawn on it.",
    still=figures.tables(data),
)

# %% [markdown]
# ## Claims

# %%
chapter.claims(CLAIMS, data)

# %% [markdown]
# ## The longer run, and steering by exemplars
#
# Longer training, and a third format, *walk*: an answer to an unreachable goal walks to a dead end before it says so. Then the motif setting: small
# graphs joined in the context by exemplars, which show what follows what.

# %%
chapter.recorded_note()
recorded = chapter.recorded()
longer = data if recorded is None else recorded
longer.attrs["formats"] = np.atleast_1d(longer.attrs["formats"]).tolist()
if recorded is not None:
    chapter.figure(
        figures.accuracy_over_training(longer),
        id="gap-recorded",
        caption="The same as above in the longer run, with the walk format.",
        alt="Accuracy over training steps in the longer run, one panel per graph type.",
    )
    chapter.text(
        "Gaps with hard negatives after {steps:.0f} steps: {b:.3f} (Bernoulli) and {h:.3f} (layered). Half-times: misstep {mis:.0f}, single steps "
        "{edge:.0f}, goal missed {goal:.0f}. Length against uniform paths: {length:+.2f} edges.",
        steps=longer.step[-1],
        b=measure.accuracy_gap(longer, "bernoulli").mean(),
        h=measure.accuracy_gap(longer, "layered").mean(),
        mis=measure.half_time(longer.misstep.sel(kind="bernoulli", format="step")).mean(),
        edge=measure.half_time(longer.edge_error.sel(kind="bernoulli", format="step")).mean(),
        goal=measure.half_time(longer.astray.sel(kind="bernoulli", format="step")).mean(),
        length=longer.length_difference.sel(reference="uniform path").mean(),
    )
    chapter.text(
        "With dead ends written out the gap is {b:.3f} and {h:.3f}: accuracy {walk:.3f} against {step:.3f} for the plain stepwise format (Bernoulli). "
        "The first token of such an answer says little ({first:.3f}): the verdict comes at the end of the walk.",
        b=measure.accuracy_gap(longer, "bernoulli", written="walk").mean(),
        h=measure.accuracy_gap(longer, "layered", written="walk").mean(),
        walk=measure.accuracy(
            longer.recall.isel(step=-1).sel(kind="bernoulli", format="walk")
        ).mean(),
        step=measure.accuracy(
            longer.recall.isel(step=-1).sel(kind="bernoulli", format="step")
        ).mean(),
        first=measure.accuracy(
            longer.first_recall.isel(step=-1).sel(kind="bernoulli", format="walk")
        ).mean(),
    )

# %%
if "steering" in longer:
    chapter.figure(
        figures.steering(longer),
        id="steering",
        caption="Left: share of answers that follow the exemplars, for orders of motifs seen and not seen in training. Right: with fewer exemplars.",
        alt="Left: success against the number of motifs between the ends for seen and unseen orders. Right: success against exemplars given.",
    )
    chapter.figure(
        figures.primacy(longer),
        id="primacy",
        caption="Which of two conflicting chains is followed, averaged over both orders.",
        alt="Three points with intervals: share of answers that follow the first chain, the second chain, or neither.",
    )
    inside = longer.steering.sel(between=slice(None, longer.attrs["between"])).mean("between")
    beyond = longer.steering.sel(between=slice(longer.attrs["between"] + 1, None), order="seen")
    chapter.text(
        "Within the lengths of training {seen:.3f} of the answers follow the exemplars, {unseen:.3f} for orders never seen; longer chains {beyond:.3f}. "
        "Of two conflicting chains the first is followed in {first:.3f} of the answers, the second in {second:.3f}. Half of the training documents "
        "start at a random later place, so that longer prompts do not fail for want of trained position vectors.",
        seen=inside.sel(order="seen").mean(),
        unseen=inside.sel(order="unseen").mean(),
        beyond=beyond.mean(),
        first=longer.primacy.sel(position="first").mean(),
        second=longer.primacy.sel(position="second").mean(),
    )

# %% [markdown]
# ## What differs from the paper, and what did not reproduce
#
# - The graphs are smaller (the paper: 200 nodes), training shorter, and the loss is taken on the answer only: goal and start cannot be
#   foretold. No official code exists; the format of lines, the exposure (one fresh uniform path per drawn pair) and the ghost edges of the
#   motif setting are our reading.
# - Every $\Delta$ draws equally many lines, so repetition is matched by construction.
# - **The size of the gap is a matter of the answer format.** In the plain format the first token decides, and a walk that fails has no way to
#   say so. Where dead ends are written out, the same networks on the same pairs gain about twice as much; the paper's figure is of that size.
# - **Training length is not the reason** that stitching, short paths, the order of failures and the additive rule did not reproduce: their verdicts
#   are those of the shorter run. Far reachability is settled by two counts, so a direct network needs no stitching, while a stepwise one must write
#   longer answers than it has seen. Single transitions become right before goals are met; whole answers do not, because each
#   has several chances to misstep and the goal can be met by a jump. Sampled paths are as long as uniform ones: what fits the data is learned.
# - The gap itself clears its threshold in the mean on every set of seeds we ran, but with four graphs its interval does not always exclude zero.

# %% [markdown]
# ## What to try
#
# Each line is one change: of values in the parameters cell, or of the scale of `synthcore run stepwise_inference --scale ...`.
#
# | Change | Expect | Known from |
# |---|---|---|
# | `formats = ["step", "direct", "walk"]` | Where dead ends are written out, the same networks gain about twice as much from writing. | the run *reference* |
# | `steps = 2500`, `stitch_steps = 1000` | Longer training does not bring stitching back. | the run *reference* |
# | `motif_steps = 4000` | Exemplars in the context steer the path, and of two conflicting chains the first is followed. | the run *reference* |

# %% [markdown]
# ## Exercises
#
# **1.** Across $d$ layers of width $n$ there are $n^{d-1}p^d$ paths on average. Below which $p$ do long connections die out?

# %% tags=["hide-input"]
n, d = 12, 6
p_critical = 1 / n
assert abs(theory.expected_layered_paths(d, n, p_critical) - 1 / n) < 1e-12  # for every d
print(f"at p = 1/n = {p_critical:.3f} the number of paths stays 1/n whatever the distance")

# %% [markdown]
# **2.** How many joins does a stitcher need that has seen single edges only, to connect two nodes $d$ layers apart?

# %% tags=["hide-input"]
chain = graphs.layered_graph(6, 1, 1.0, seeded(0))
needed = [theory.stitched_pairs(chain.adjacency, joins)[0, 5].item() for joins in range(6)]
assert needed.index(True) == 4
print("d - 1 joins")

# %% [markdown]
# **3.** Show that the greedy walk under the Bayes policy is longer than the average path. Why?

# %% tags=["hide-input"]
lengths = theory.reference_lengths(hidden[0])
pairs = lines.candidate_pairs(hidden[0]).unbind(1)
greedy, mean = (float(lengths[k][pairs].mean()) for k in ("most probable child", "uniform path"))
assert greedy > mean
print(
    f"{greedy:.2f} against {mean:.2f} edges: the child with most paths to the goal is the one with most detours"
)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
