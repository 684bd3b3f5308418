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

# %% tags=["parameters", "hide-input"]
seed = 0
n_seeds = 5
device = "auto"
nodes = 100
edge_probability = 0.075
layers = 8
layer_width = 12
layer_probability = 0.15
share = 0.2
formats = ["step", "direct"]
exposure = "pairs"
negatives = "half hard"
balanced = True
edge_lines = True
width = 64
depth = 2
heads = 1
context = 32
norm = "layer"
bias = False
tied = True
initial_std = 0.02
batch = 64
loss_on = "answer"
learning_rate = 0.003
final_learning_rate = 0.05
warmup = 50
beta1 = 0.9
beta2 = 0.95
weight_decay = 0.1
weight_decay_on = "all"
clip = 1.0
steps = 800
checkpoints = 8
test_pairs = 200
top_k = 0
repeats = 4
temperature_pairs = 8
samples = 1000
monte_carlo = 40
near = [2, 4]
far = 5
stitch_steps = 300
shift = 8
mechanism_nodes = 50
mechanism_probability = 0.12
mechanism_share = 0.8
mechanism_steps = 800
motifs = 8
motif_nodes = 8
motif_probability = 0.5
between = 2
motif_steps = 0
motif_context = 128
motif_shift = 64
factor_seeds = 5
factor_steps = 0
factor_long_steps = 5000
factor_nodes = 200
factor_node_probability = 0.05

# %% tags=["hide-input"]
import numpy as np
import torch
import xarray as xr
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from synthcore.evidence.chapter import Chapter
from synthcore.evidence.exercise import Exercise
from synthcore.nn import gpt
from synthcore.nn.convert import from_population
from synthcore.studies.stepwise_inference import theory
from synthcore.studies.stepwise_inference.claims import CLAIMS
from synthcore.studies.stepwise_inference.config import FIRST, Config
from synthcore.studies.stepwise_inference.experiments import (
    factors,
    navigation,
    one_layer,
    sampling,
    steering,
    stitching,
)
from synthcore.studies.stepwise_inference.figures import gap as gap_figures
from synthcore.studies.stepwise_inference.figures import writing as writing_figures
from synthcore.studies.stepwise_inference import measure
from synthcore.studies.stepwise_inference.model import answer_loss
from synthcore.studies.stepwise_inference.task import graphs, lines
from synthcore.training.seeding import seeded

config = Config.from_cell(globals())
chapter = Chapter("stepwise_inference", config)

# %% tags=["hide-input"]
main = chapter.stage(navigation.run)
known = chapter.stage(navigation.policies)
ways = chapter.stage(sampling.lengths)
heat = chapter.stage(sampling.temperatures)
shown = chapter.stage(sampling.shown)
far_pairs = chapter.stage(stitching.run)
rule = chapter.stage(one_layer.run)
two = chapter.stage(one_layer.two_layers)
found = {
    "navigation": main,
    "policies": known,
    "lengths": ways,
    "temperatures": heat,
    "stitching": far_pairs,
    "one_layer": rule,
    "two_layers": two,
}
if config.motif_steps:
    found["steering"] = chapter.stage(steering.run)
if config.factor_steps:
    found["factors"] = chapter.stage(factors.run)
results = xr.DataTree.from_dict(found)

# %% tags=["hide-input"]
kinds = ("bernoulli", "layered")
gaps = {kind: float(measure.accuracy_gap(main, kind).mean()) for kind in kinds}
accuracy = {
    written: [float(measure.final_accuracy(main, kind, written).mean()) for kind in kinds]
    for written in ("step", "direct")
}
shortcut = measure.best_shortcut(main.baseline_accuracy).mean("seed")
by_delta = measure.far_gap(far_pairs).mean("seed")
stitched = float(by_delta[0] - by_delta[-2])
far_ways = float(far_pairs.far_valid.sel(format="step").isel(step=-1, near=-1).mean())
chapter.card(
    "Networks that write the way before they say whether there is one are right in **{step:.1%}** and **{step_layered:.1%}** of cases (Bernoulli and layered graphs; half of the "
    "goals are out of reach, in the right order); networks that answer at once in {direct:.1%} and {direct_layered:.1%}. But shortcuts that know no path, such as two counts per node, reach {short:.1%} and "
    "{short_layered:.1%}. Against the better of the two, writing gains **{gap:+.3f}** and **{gap_layered:+.3f}**. "
    + (
        "In this run no network comes to write ways to far goals."
        if far_ways < 0.5
        else "On far pairs the gain after the shortest training pieces less that after the longest is {stitched:+.2f}: "
        + (
            "it comes from stitching."
            if stitched >= 0.05
            else "stitching is not where it comes from."
        )
    ),
    step=accuracy["step"][0],
    step_layered=accuracy["step"][1],
    direct=accuracy["direct"][0],
    direct_layered=accuracy["direct"][1],
    short=shortcut.sel(kind="bernoulli"),
    short_layered=shortcut.sel(kind="layered"),
    gap=gaps["bernoulli"],
    gap_layered=gaps["layered"],
    stitched=stitched,
)

# %% tags=["hide-input"]
chapter.figure(
    gap_figures.accuracy_over_training(main),
    id="gap",
    caption="Verdicts on held-out pairs with hard negatives. Networks that write the way are ahead of those that answer at once; dashed is what the best shortcut knows that never heard of a path.",
    alt="Accuracy over training on a log axis, one panel per kind of graph, for stepwise and direct networks, with dashed and dotted levels of shortcuts.",
    source=gap_figures.accuracy_over_training,
)

# %% [markdown]
# ## The question
#
# Why does it help a language model to write its steps down? {cite:t}`khona2024stepwise` replace the reasoning problem by a walk. A graph is hidden in the
# training data; the question is whether a goal can be reached from a start, and the steps are the edges of a way there. One network must answer at once, one
# writes the way first. Nothing is vague: the number of paths, the probability of each, the best policy and every shortcut can be computed.

# %% tags=["hide-input"]
chapter.parameters(first=FIRST)

# %% [markdown]
# ## The task
#
# A **Bernoulli** graph has an edge $i\to j$ with probability $p$ for every $i<j$. A **layered** graph has edges from one layer to the next only. Pairs of a
# start $s$ and a goal $g$ become lines; the graph is never shown. The prompt is the first three tokens.

# %%
small = graphs.bernoulli_graph(12, 0.25, seeded(4))
vocabulary = lines.Vocabulary(12)
pair = lines.candidate_pairs(small)[-1]
path = graphs.PathSampler([small]).sample(pair[None, :1], pair[None, 1:], [seeded(0)])[0, 0]
apart = lines.negative_pairs(small)[1][0]
dead_end = graphs.PathSampler([small]).random_walk(apart[None, :1], [seeded(0)])[0, 0]
for walk, goal, label in (
    (path, pair[1], vocabulary.path),  # stepwise
    (pair[:1], pair[1], vocabulary.path),  # direct
    (apart[:1], apart[1], vocabulary.nopath),  # both: a goal out of reach
    (dead_end, apart[1], vocabulary.nopath),  # the same with a dead end written out
):
    print(vocabulary.decode(vocabulary.encode(goal, walk, label).tolist()))

# %% tags=["hide-input"]
chapter.figure(
    gap_figures.question(small, path.tolist()),
    id="question",
    caption="A hidden graph, and the way of the first line above.",
    alt="A graph of twelve numbered nodes with one path in colour.",
    source=gap_figures.question,
)

# %% [markdown]
# A share of the connected pairs and of the others is trained on. A stepwise line shows one path, drawn uniformly from *all* paths of its pair. **Negatives
# decide what is tested.** Most pairs out of reach are in the wrong order, and the order alone settles them: so does the paper's test, which draws them
# uniformly. *Hard* negatives are in the right order and still out of reach. They decide the claims about the gap; the paper's mixture is reported beside.

# %% [markdown]
# ## Build it yourself
#
# A graph, its lines, and a network that answers. With adjacency $A$, $(I-A)^{-1}$ counts the paths of every pair.

# %%
g = torch.Generator().manual_seed(0)
N = 16
A = (torch.rand(N, N, generator=g) < 0.25).triu(1)
P = torch.linalg.inv(torch.eye(N) - A.float()).round()  # P[i, j]: number of paths
TARGET, PATH, NOPATH, END = range(N + 1, N + 5)  # 0 pads, node i is i + 1


def line(s, goal):
    walk, label = [s], NOPATH
    while P[s, goal] > 0 and walk[-1] != goal:
        child = torch.multinomial(A[walk[-1]] * P[:, goal], 1, generator=g)
        walk, label = [*walk, int(child)], PATH
    return torch.tensor([TARGET, goal + 1, *(node + 1 for node in walk), label, END])


# %% [markdown]
# Start before goal: no order tells these pairs apart. Half of them are trained on.

# %%
pairs = torch.triu_indices(N, N, 1).T  # (120, 2)
pairs = pairs[torch.randperm(len(pairs), generator=g)]
train, test = pairs[:60].tolist(), pairs[60:].tolist()


def sample(batch):
    chosen = torch.randint(len(train), (batch,), generator=g).tolist()
    return pad_sequence([line(*train[i]) for i in chosen], batch_first=True)  # (B, T)


print(*sample(3).tolist(), sep="\n")

# %% [markdown]
# The network is the plain GPT of {doc}`/book/api/nn`. Beside it the chapter's own code trains two of them together; the first must agree.

# %%
shape = gpt.GPTConfig(N + 5, 24, width=32, depth=2, heads=1, positions="learned", bias=False)
both = gpt.GPT(shape, seeds=[0, 1])
network = from_population(both, member=0)
optimizers = [torch.optim.AdamW(model.parameters(), lr=3e-3) for model in (network, both)]
for _ in range(100):
    tokens = sample(32)
    targets = tokens[:, 3:].masked_fill(tokens[:, 3:] == 0, -100)  # goal and start are given
    loss = F.cross_entropy(network(tokens[:, :-1])[:, 2:].flatten(0, 1), targets.flatten())
    loss.backward()
    together = answer_loss(both, lines.Batch((tokens.expand(2, -1, -1),)))  # (2,)
    together.sum().backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
chapter.same(loss, together[0])


# %%
@torch.no_grad()
def answer(s, goal):
    tokens = torch.tensor([[TARGET, goal + 1, s + 1]])
    while tokens[0, -1] not in (PATH, NOPATH, END) and tokens.shape[1] < 24:
        tokens = torch.cat([tokens, network(tokens)[:, -1:].argmax(-1)], 1)
    return int(tokens[0, -1])


right = [answer(s, goal) == (PATH if P[s, goal] else NOPATH) for s, goal in test]
print(f"{sum(right)} of {len(test)} held-out verdicts are right")

# %% [markdown]
# ## Theory: counting paths without listing them
#
# $P=(I-A)^{-1}=I+A+A^2+\dots$ counts paths. A walk to $g$ that goes from $i$ to $j$ with probability
#
# $$\pi(j\mid i,g)=\frac{A_{ij}\,P_{jg}}{P_{ig}}$$
#
# is uniform over all paths. That is how lines are drawn, and it is the **Bayes-optimal policy** for them: it depends on the place and the goal, not on the
# start. The mean length of a path is $(PAP)_{sg}/P_{sg}$. Over random graphs, $\mathbb E P_{ij}=p(1+p)^{j-i-1}$ (Bernoulli), and $n^{d-1}p^d$ across $d$ layers.

# %%
hidden = [navigation.hidden_graph(config, "bernoulli", s) for s in config.seeds]
number = np.mean([graph.counts.numpy() for graph in hidden], 0)
for k in range(5, config.nodes, config.nodes // 4):
    drawn, expected = np.diagonal(number, k).mean(), theory.expected_paths(k, edge_probability)
    print(f"paths across an index gap of {k}: {drawn:.2f}, expected {expected:.2f}")

# %% [markdown]
# ## A measurement for whatever maps tokens to logits
#
# Networks are judged by code that judges any policy: exact walkers, walkers with noise, a wanderer without a plan, shortcuts that answer at once. Every
# answer to a connected pair is exactly one of four things: *right*; a *misstep* (some transition is no edge); a *planning failure* (edges only, but not to the
# goal and `path`); *no walk*. What follows rests on this table.

# %% tags=["hide-input"]
table = known.sel(kind="bernoulli").mean("seed")
print(f"{'policy':>26}  {'verdict':>7}  " + "  ".join(f"{o:>16}" for o in known.outcome.values))
for policy in ("uniform path", "uniform path, noise 0.1", "wanderer", "jumper", "stops short"):
    row = table.sel(policy=policy)
    verdict = float(measure.accuracy(row.recall))
    print(f"{policy:>26}  {verdict:7.2f}  " + "  ".join(f"{v:16.2f}" for v in row.failure.values))
row = table.sel(policy="shortcut")
print(f"{'shortcut':>26}  {float(measure.accuracy(row.recall)):7.2f}  (writes no way)")

# %% [markdown]
# ## Does writing the way improve the verdict?
#
# Shortcuts know the order, the gap, whether nodes have children and parents, an additive score of start, goal and gap, or the product of two counts: how many nodes the start
# reaches and how many reach the goal. Each is fitted on training pairs with negatives of the kind it is tested on. A gap is what writing gains over the better of the
# direct network and the best of these. (Here the steps lead to a yes or no that could be guessed; in {doc}`/notebooks/compositional_capabilities` they are results
# without which there is no answer.)

# %% tags=["hide-input"]
last = main.isel(step=-1)
chapter.text(
    "Gap with hard negatives: **{b:+.3f}** and **{h:+.3f}** (Bernoulli, layered; over direct networks alone {bd:+.3f} and {hd:+.3f}); with the paper's negatives {bp:+.3f} and {hp:+.3f}. "
    "The first token of the stepwise answer alone scores {first:.3f} on Bernoulli graphs, the whole answer {whole:.3f}. Of the held-out "
    "Bernoulli pairs {seen:.0%} lie on a path of a training pair to the same goal; recall is {rs:.3f} on these and {ru:.3f} on the others.",
    b=gaps["bernoulli"],
    h=gaps["layered"],
    bd=accuracy["step"][0] - accuracy["direct"][0],
    hd=accuracy["step"][1] - accuracy["direct"][1],
    bp=measure.accuracy_gap(main, "bernoulli", "paper").mean(),
    hp=measure.accuracy_gap(main, "layered", "paper").mean(),
    first=measure.accuracy(last.first_recall.sel(kind="bernoulli", format="step")).mean(),
    whole=accuracy["step"][0],
    seen=last.share_seen.sel(kind="bernoulli", format="step").mean(),
    rs=last.recall_seen.sel(kind="bernoulli", format="step").mean(),
    ru=last.recall_unseen.sel(kind="bernoulli", format="step").mean(),
)
if "walk" in config.formats:
    chapter.text(
        "Where dead ends are written out, the gap is **{b:+.3f}** and **{h:+.3f}**: a walk that fails can say so.",
        b=measure.accuracy_gap(main, "bernoulli", written="walk").mean(),
        h=measure.accuracy_gap(main, "layered", written="walk").mean(),
    )

# %% [markdown]
# ## One factor at a time
#
# Between our setting and the paper's lie the format, the loss, the schedule, how often a pair with many paths is seen, and the negatives of training. Each is changed alone, then
# all together, then the number of updates and of nodes.

# %% tags=["hide-input"]
if config.factor_steps:
    chapter.figure(
        gap_figures.factors(found["factors"]),
        id="factors",
        caption="The gap after one change at a time from our setting towards the release's, with hard negatives and with the paper's; mean and 95 % interval.",
        alt="Two panels, one per kind of graph, with the gap of every setting as points with intervals.",
        source=gap_figures.factors,
    )
    of_factors = gap_figures.factor_gaps(found["factors"], "bernoulli", "hard").mean("seed")
    chapter.text(
        "Largest gap on Bernoulli graphs: {most:+.3f} ({name}); ours {ours:+.3f}, all of the release's settings {all:+.3f}.",
        most=of_factors.max(),
        name=str(of_factors.factor[of_factors.argmax()].item()),
        ours=of_factors.sel(factor=factors.BASE),
        all=of_factors.sel(factor=factors.ALL),
    )
else:
    chapter.text("*This run leaves it out; `factor_steps = 1500` takes about an hour on one core.*")

# %% [markdown]
# ## Is it stitching?
#
# Train on pairs at most $\Delta$ layers apart, test on far ones. If writing helps because it joins short pieces, its gain must be largest at the smallest $\Delta$. Two
# things speak against an easy answer. A stepwise network must write longer answers than it has seen; so that it does not meet untrained position vectors there, answers are shifted to
# random places in training. And far reachability hardly needs paths: two counts nearly settle it.

# %% tags=["hide-input"]
chapter.figure(
    gap_figures.stitching(far_pairs),
    id="stitching",
    caption="Left: the gap on far pairs against the distance of training pairs. Right: accuracies, and right written paths (triangles), all of which are longer than any training line.",
    alt="Left: the far gap against Delta. Right: accuracies of both formats, of the best shortcut, and the share of right paths, against Delta.",
    source=gap_figures.stitching,
)
chapter.text(
    "Far gap: {gaps}. At the smallest $\\Delta$ the network writes a right far path for **{right:.0%}** of the pairs, {pairs:.0f} different pairs per graph.",
    gaps=", ".join(
        f"{float(v):+.3f} ({'all distances' if d == 0 else f'Δ = {d}'})"
        for d, v in zip(by_delta.near.values, by_delta.values, strict=True)
    ),
    right=far_pairs.far_valid.sel(format="step").isel(step=-1, near=0).mean(),
    pairs=far_pairs.far_pairs.mean(),
)

# %% [markdown]
# ## Temperature
#
# The network's probability of each valid path is exact: run it on all valid prefixes, divide the logits by $T$, multiply along each path. Accuracy is the sum; the expected number
# of *different* right paths among $n$ answers is $\sum_r1-(1-p_r)^n$. At *which* step a walk was decided is asked in {doc}`/notebooks/forking_paths`.

# %% tags=["hide-input"]
chapter.figure(
    writing_figures.temperature(heat),
    id="temperature",
    caption="Accuracy falls with temperature; right paths are found most at a temperature in the middle. Lines are exact, crosses sampled.",
    alt="Left: accuracy falls from near its maximum to zero over temperature. Right: distinct right paths rise to a maximum and fall.",
    source=writing_figures.temperature,
)
valid_paths = heat.temperature_distinct_valid.sel(subject="network").mean(["question", "seed"])
chapter.text(
    "Most right paths, {most:.1f} of {all:.1f}, are found at temperature {at:g}.",
    most=valid_paths.max(),
    all=heat.temperature_paths.mean(),
    at=valid_paths.temperature[valid_paths.argmax()],
)

# %% [markdown]
# ## Are written paths short?
#
# Answers that happen to be right are short ones, because every step is another chance to fail. So we also let the network choose, at every node, among
# the children that lead to the goal only, in proportion to its probabilities: a walk that makes no error. Of a uniform walker whose every tenth step is
# random, such walks are as long as uniform paths; its right answers are not.

# %% tags=["hide-input"]
chapter.figure(
    writing_figures.path_lengths(ways),
    id="lengths",
    caption="Noise alone makes right answers short (left). Walks without errors (right) show whether a policy prefers short paths.",
    alt="Two panels of dots: differences in edges from uniform paths for the network and for known walkers.",
    source=writing_figures.path_lengths,
)
difference = ways.sel(subject="network", reference="uniform path").mean("seed")
chapter.text(
    "The network's walks differ by **{corrected:+.2f}** edges from uniform paths, its right answers by {raw:+.2f}; those of a uniform walker with a tenth of noise by {noise:+.2f}. "
    "{valid:.0%} of its sampled answers are right.",
    corrected=difference.length_difference,
    raw=difference.length_given_valid,
    noise=ways.length_given_valid.sel(subject="noise 0.1", reference="uniform path").mean(),
    valid=difference.valid_sampled,
)

# %% [markdown]
# ## Which failure goes first?
#
# Step by step, a *misstep* is no edge, and an *error of planning* an edge from which the goal is lost. The release compares answers that miss the goal with single
# steps off the graph. That order means little: an answer has many steps, so noise that falls evenly has it too.

# %% tags=["hide-input"]
chapter.figure(
    writing_figures.failures(main),
    id="failures",
    caption="Left: what sampled answers are, each exactly one thing. Right: errors of single steps. Bernoulli graphs.",
    alt="Left: shares of right answers, missteps, planning failures and answers without a walk over training. Right: two error rates of single steps, falling.",
    source=writing_figures.failures,
)
stepwise = main.sel(kind="bernoulli", format="step")
chapter.text(
    "Half-times: {edge:.0f} updates for missteps, {plan:.0f} for errors of planning (medians over seeds); {goal:.0f} for answers that miss the goal.",
    edge=measure.half_time(stepwise.edge_error).median(),
    plan=measure.half_time(stepwise.planning_error).median(),
    goal=measure.half_time(stepwise.astray).median(),
)

# %% [markdown]
# ## One layer: goal vector plus node vector
#
# A network of one attention layer without MLP. If it attends to the goal and the current node only, the logit of a next node $x$ is the sum of two tables,
# $S_1[g,x]+S_2[c,x]$.

# %% tags=["hide-input"]
chapter.figure(
    writing_figures.tables(rule),
    id="tables",
    caption="The two tables of a trained one-layer network, and what they should know: the distance to the goal, and the edges.",
    alt="Four heat maps: S1 by goal and candidate, minus the distance, S2 by current node and candidate, and the adjacency matrix.",
    source=writing_figures.tables,
)
at_end = rule.isel(step=-1)
chapter.text(
    "The network steps along an edge in {full:.1%} of places; the rule with each place's own attention keeps **{kept:.3f}** of that, with constant attention {constant:.3f}, the best "
    "two tables {best:.3f} (two-layer networks: {two:.3f}). Attention on goal and current node is {mass:.3f}; goal by goal $S_1$ correlates with minus the distance at {rho:.2f}; "
    "$S_2$ tells edges with AUC {auc:.3f}.",
    full=at_end.full_accuracy.mean(),
    kept=(at_end.rule_accuracy / at_end.full_accuracy).mean(),
    constant=(at_end.constant_rule_accuracy / at_end.full_accuracy).mean(),
    best=(at_end.additive_accuracy / at_end.full_accuracy).mean(),
    two=two.two_layer_kept.mean(),
    mass=at_end.attention_mass.mean(),
    rho=at_end.distance_correlation.mean(),
    auc=at_end.adjacency_auc.mean(),
)

# %% [markdown]
# ## Steering by exemplars
#
# Small graphs, *motifs*, are joined in the context by exemplars that show which follows which. Does the answer follow them?

# %% tags=["hide-input"]
if config.motif_steps:
    motif = found["steering"]
    chapter.figure(
        writing_figures.steering(motif),
        id="steering",
        caption="Left: answers that follow the exemplars, for orders of motifs seen and not seen in training. Right: with fewer exemplars.",
        alt="Left: success against the number of motifs between the ends for seen and unseen orders. Right: success against exemplars given.",
        source=writing_figures.steering,
    )
    chapter.figure(
        writing_figures.primacy(motif),
        id="primacy",
        caption="Which of two conflicting chains is followed, averaged over both orders.",
        alt="Three points with intervals: share of answers that follow the first chain, the second chain, or neither.",
        source=writing_figures.primacy,
    )
    given = motif.steering_given.sel(subject="network").mean("seed")
    chapter.text(
        "Success with 0, 1, ... exemplars: {given}. Of two conflicting chains the first is followed in {first:.0%} of the answers, the second in {second:.0%}.",
        given=", ".join(f"{float(v):.2f}" for v in given),
        first=motif.primacy.sel(subject="network", position="first").mean(),
        second=motif.primacy.sel(subject="network", position="second").mean(),
    )
else:
    chapter.text(
        "*This run leaves the motif setting out; `motif_steps = 4000` takes some ten minutes.*"
    )

# %% [markdown]
# ## Explore
#
# Choose a pair and move the temperature: edges are as thick as the probability of the paths through them.

# %% tags=["hide-input"]
chapter.explorer(
    writing_figures.navigation_explorer(shown),
    id="navigation",
    caption="Exact path probabilities at every temperature.",
    alt="A graph with the paths of one pair as bundles, and curves of accuracy and of distinct right paths over temperature.",
    still=writing_figures.temperature(heat),
    source=writing_figures.navigation_explorer,
)

# %% [markdown]
# Click a goal: nodes take the colour of $S_1$. Step the walk that always takes the largest sum of the two tables.

# %% tags=["hide-input"]
chapter.explorer(
    writing_figures.goal_field_explorer(rule),
    id="goal-field",
    caption="The simplified rule of the one-layer network, one step at a time.",
    alt="A graph whose nodes are coloured by the learned goal score, with a walk drawn on it.",
    still=writing_figures.tables(rule),
    source=writing_figures.goal_field_explorer,
)

# %% [markdown]
# ## What holds
#
# All claims are about networks. Each has a policy that does what it says and one that does not, measured as networks are. C7 to C11 need the motif setting.

# %% tags=["hide-input"]
chapter.claims(CLAIMS, results)

# %% [markdown]
# ## How this differs from the paper

# %% tags=["hide-input"]
chapter.differences()

# %% [markdown]
# No official code exists; the format of lines and the ghost edges of the motif setting are our reading of a training repository of the first author. By default goal and start, which
# cannot be foretold, are left out of the loss; a drawn pair shows a fresh uniform path; half of the lines are about goals out of reach, half of these hard. All
# of that can be set as in the release. Sets are sampled with replacement and not shuffled. Every $\Delta$ draws equally many lines, so repetition is matched by construction. After the first check run C2 was given the
# gates of C1, and the ideal learner of C4 noise at dead ends too; margins were not changed.

# %% [markdown]
# ## What to try
#
# | Change | Expect |
# |---|---|
# | `formats = ["step", "direct", "walk"]` | Where dead ends are written out, the same networks gain more from writing. |
# | `exposure = "paths"`, `balanced = False` | Pairs with many paths dominate, and written ways change their lengths. |
# | `stitch_steps = 2000` | Whether longer training brings stitching back. |

# %% [markdown]
# ## Exercises
#
# **1.** Across $d$ layers of width $n$ there are $n^{d-1}p^d$ paths on average. At which $p$ does one more layer leave their number as it is?

# %% tags=["exercise"]
critical = Exercise(
    "critical",
    solution=lambda n: 1 / n,
    cases=[(12,), (20,)],
    hint="By which factor does one more layer multiply the number of paths?",
)
answer = ...  # a function of n
critical.check(answer)

# %% tags=["solution", "hide-cell"]
critical.check(lambda n: 1 / n)

# %% [markdown]
# **2.** How many joins does a stitcher need that has seen single edges only, to connect two nodes $d$ layers apart?

# %% tags=["exercise"]
chain = graphs.layered_graph(10, 1, 1.0, seeded(0)).adjacency


def joins_needed(d):
    return next(k for k in range(d) if theory.stitched_pairs(chain, k)[0, d])


joins = Exercise(
    "joins",
    solution=joins_needed,
    cases=[(3,), (9,)],
    hint="One join makes two edges into one piece.",
)
answer = ...  # a function of d
joins.check(answer)

# %% tags=["solution", "hide-cell"]
joins.check(lambda d: d - 1)

# %% [markdown]
# **3.** In a graph of four nodes with all forward edges, by how many edges is a walk from the first to the last, uniform over children, shorter than a uniform path?

# %% tags=["exercise"]
complete = graphs.Graph(torch.ones(4, 4).triu(1).bool(), torch.arange(4))
expected = theory.reference_lengths(complete)
walks = Exercise(
    "walks",
    solution=float(expected["uniform path"][0, 3] - expected["viable walk"][0, 3]),
    tolerance=1e-3,
    hint="There are four paths, of 1, 2, 2 and 3 edges. A walk takes the shortest with probability one third.",
)
answer = ...  # a number
walks.check(answer)

# %% tags=["solution", "hide-cell"]
walks.check((1 + 2 + 2 + 3) / 4 - (1 + 2 + (1 + (1 + 2) / 2)) / 3)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
