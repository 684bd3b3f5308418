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
# # Swing-by dynamics of concept learning

# %% tags=["parameters", "hide-input"]
seed = 0
n_seeds = 12
device = "auto"
dimension = 64
hidden = 64
points = 1000
batch = 128
learning_rate = 0.02
epochs = 40
stride = 2
diversities = [0.05, 0.5, 1.0, 1.5, 2.0]
one_layer_learning_rate = 0.004
mu = [1.0, 2.0]
sigma = 0.05
omega = 0.1
rho = 0.95
tied_hidden = 64
spreads = [0.5, 1.0, 2.0]
tied_learning_rate = 0.004
tied_time = 8.0
tied_looks = 400
initialisations = 4
deep_dimensions = [2, 64]
deep_depths = [1, 3]
deep_learning_rate = 0.02
deep_time = 120.0
grid = 16
draws = 200

# %% tags=["hide-input"]
import numpy as np
import torch
import xarray as xr

from synthcore.evidence.chapter import Chapter
from synthcore.evidence.exercise import Exercise
from synthcore.explorers.swing_by import SwingByExplorer
from synthcore.explorers.swing_by_training import SwingByTrainingExplorer
from synthcore.studies.sim_concept_learning import measure, task, theory
from synthcore.studies.sim_concept_learning.claims import CLAIMS
from synthcore.studies.sim_concept_learning.claims import networks as orders
from synthcore.studies.sim_concept_learning.claims import tied as swings
from synthcore.studies.sim_concept_learning.config import FIRST, Config
from synthcore.studies.sim_concept_learning.experiments import (
    depth,
    flow,
    networks,
    one_layer,
    tied,
)
from synthcore.studies.sim_concept_learning.figures import networks as network_figures
from synthcore.studies.sim_concept_learning.figures import tied as tied_figures
from synthcore.studies.sim_concept_learning.model import Tied, identity_loss

config = Config.from_cell(globals())
chapter = Chapter("sim_concept_learning", config)

# %% tags=["hide-input"]
order = chapter.stage(networks.order)
compositions = chapter.stage(networks.compositions)
single = chapter.stage(one_layer.run)
swing = chapter.stage(tied.run)
full = chapter.stage(tied.full_batch)
phases = chapter.stage(tied.slopes)
deep = chapter.stage(depth.run)
wide = chapter.stage(depth.widths)
maps = chapter.stage(flow.maps)
laws = chapter.stage(flow.laws)
searches = chapter.stage(flow.searches)
results = xr.DataTree.from_dict(
    {
        "order": order,
        "compositions": compositions,
        "one_layer": single,
        "tied": swing,
        "full_batch": full,
        "slopes": phases,
        "depth": deep,
        "widths": wide,
        "maps": maps,
        "laws": laws,
        "searches": searches,
    }
)

# %% tags=["hide-input"]
alike = swing.sel(condition=tied.ALIKE)
often = orders.swinging(deep)
hardest = {"dimension": -1, "width": 0, "depth": -1}  # many dimensions, narrow layers
arrived = deep.remaining.isel(hardest).median() <= orders.ARRIVED
chapter.card(
    "Train a two-layer linear network on points that show one concept each, and test it where both meet. If its two rows start nearly alike, the loss there "
    "falls, rises again by **{rise:.1%}** of its first value, and vanishes. The training loss only falls: it cannot tell you. The cause is an "
    "off-diagonal weight, which lends the strong concept's signal to the weak coordinate and withdraws it once the strong concept is learned. From PyTorch's usual "
    "weights **{few:.0%}** of networks of {layers} layers do this where dimension and width are {least}, **{wide:.0%}** where the width alone is {most}, and **{many:.0%}** where the "
    "dimension alone is" + ("." if arrived else ", but most of these have not learned by the end."),
    rise=alike.draw_up.mean(),
    few=often.isel(dimension=0, width=0, depth=-1).mean(),
    wide=often.isel(dimension=0, width=-1, depth=-1).mean(),
    many=often.isel(dimension=-1, width=0, depth=-1).mean(),
    layers=int(deep.depth[-1]),
    least=int(deep.dimension[0]),
    most=int(deep.dimension[-1]),
)

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.swing_by(swing, config.mu),
    id="swing-by",
    caption="Trained on samples that show one concept each, networks whose rows start alike approach the unseen combination, turn back and arrive (right: between τ = 1 and 5). Without off-diagonal entries they do not.",
    alt="Left: path of the output with a loop before it reaches the star, beside a path without one. Right: the loss at the test point falls, rises and falls, or only falls.",
    source=tied_figures.swing_by,
)

# %% [markdown]
# ## The question
#
# Teach an image generator large red, large blue and small red circles, then ask for a small blue one, where two concepts meet. It gets there one concept at
# a time. Is any of that about images? {cite:t}`yang2024swingby` strip the problem bare: a perfect generator followed by a perfect classifier of concepts is the **identity map** on
# concept space. So learn to copy points that show one concept each, and test where all concepts meet: the toy keeps the corners of one concept.

# %% tags=["hide-input"]
chapter.parameters(first=FIRST)

# %% [markdown]
# ## The task
#
# There are $s$ concepts in $d\ge s$ coordinates. Cluster $p$ is centred at $\mu_pe_p$: the *signal* $\mu_p$ says how far concept $p$ moves things. Every cluster
# spreads by the *diversity* $\sigma_k$ along coordinate $k$. The concept of the larger signal is the *strong* one. The target of a point is the point. The test is the sum of the centres,
# $\hat x=\sum_p\mu_pe_p$.

# %%
example = task.Mixture.of([((1.0, 2.0), (0.2, 0.2))], repeats=1)
samples = example.draw(60, seeds=[0])[0][0]
for x in (samples[0], samples[60]):
    print(f"input and target ({x[0]:+.2f}, {x[1]:+.2f})")
print("test, never seen  (+1.00, +2.00)")

# %% tags=["hide-input"]
chapter.figure(
    network_figures.geometry(samples, (1.0, 2.0)),
    id="geometry",
    caption="Every sample shows one concept; the test point needs both at once. Here it lies where no data are; at large diversities, below, a cluster reaches it.",
    alt="Two clusters of points on the two axes of a plane, and a star at the sum of their centres.",
    source=network_figures.geometry,
)

# %% [markdown]
# ## Build it yourself
#
# Samples of two concepts, weak and strong; then a network $f(x)=UU^\top x$ whose two rows start alike: with correlation $\varrho$, and with $\omega$, the size of
# the start, on the diagonal of $UU^\top$.

# %%
g = torch.Generator().manual_seed(0)
signal = torch.tensor([1.0, 2.0])
x = torch.diag(signal).repeat_interleave(500, 0)  # (1000, 2): the centres
x = x + 0.05 * torch.randn(1000, 2, generator=g)

shared, own = torch.randn(1, 64, generator=g), torch.randn(2, 64, generator=g)
rows = 0.95**0.5 * shared + 0.05**0.5 * own  # correlation .95
U = (rows * (0.1 / 64) ** 0.5).requires_grad_()  # (2, 64); U U^T: .1 on its diagonal

# %% [markdown]
# Descend. After every step ask for both concepts at once. Beside it the chapter's own code trains two such networks together; the first must agree.

# %%
pair = Tied(torch.stack([U.detach(), U.detach().flip(0)]))
optimizer = torch.optim.SGD(pair.parameters(), lr=0.004)
path = []
for _ in range(1500):
    path.append((signal @ U @ U.T).detach())
    loss = ((x @ U @ U.T - x) ** 2).sum(-1).mean() / 2
    loss.backward()
    with torch.no_grad():
        U -= 0.004 * U.grad
        U.grad = None

    identity_loss(pair, x.expand(2, -1, -1)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
chapter.same(U @ U.T, pair.matrix()[0])

# %%
unseen = ((torch.stack(path) - signal) ** 2).sum(-1) / 2  # loss at the combination
rise = (unseen - unseen.cummin(0).values).max() / unseen[0]
print(f"the loss at the unseen combination rises by {rise:.1%} of its start on the way to 0")

# %% [markdown]
# This is the *draw-up*: the largest later rise of the loss at the unseen point, as a share of its first value. Above 2 %, and if it arrives, we say that a
# network **swings by**.

# %% [markdown]
# ## Theory: one number per concept, two clocks
#
# The loss is $\mathcal L=\frac1{2N}\sum\lVert f(x)-x\rVert^2$. A linear network $f(x)=Wx$ sees the data through their second moment only,
# $A=\mathbb E[xx^\top]=\mathrm{diag}(a)$ with the **strengths** $a_p=\sigma_p^2+\mu_p^2/s$ (not centred, whatever the word covariance suggests):
# $\mathcal L=\tfrac12\lVert(W-I)A^{1/2}\rVert_F^2$.
#
# **One layer.** $W(t)=I+(W(0)-I)e^{-At}$. From zero, concept $k$ reaches the fraction $\varphi$ at $t_k=\ln\frac1{1-\varphi}/a_k$. Two concepts are equally fast
# where $a_1=a_2$; for $\mu=(1,2)$ and $\sigma_2=.05$ that is at $\sigma_1\approx1.226$.
#
# **Two tied layers.** $W=UU^\top$ follows, in the paper's clock $\tau$,
#
# $$\begin{aligned}\frac{dw_{ij}}{d\tau}={}&\underbrace{(a_i+a_j)w_{ij}}_{\text{growth}}-\underbrace{\tfrac12w_{ij}\left[w_{ii}(3a_i+a_j)+\mathbf 1_{i\ne j}w_{jj}(3a_j+a_i)\right]}_{\text{suppression}}\\&-\underbrace{\tfrac12\sum_{k\ne i,j}w_{ki}w_{kj}(a_i+a_j+2a_k)}_{\text{interaction}} .\end{aligned}$$
#
# Gradient flow of the loss in $U$ is *twice* this field: with step size $\eta$, $t=\eta\cdot\text{steps}$ and $\tau=2t$. Every axis says its clock.
#
# **Minor entries.** The output at the test is $f_k=\sum_pw_{kp}\mu_p$. A positive off-diagonal, or *minor*, entry lends the strong concept's signal to the
# weak coordinate; once the strong concept is learned, suppression withdraws the loan. For two concepts there is a closed form that is not in the paper
# (T4): for the strong concept $i$ and the weak $j$, with $p=w_{ii}(0)$, $r=w_{ij}(0)$, $q=w_{jj}(0)-r^2/p$, $D_i=1-p+pe^{2a_i\tau}$ and $D_j=1-q+qe^{2a_j\tau}$,
#
# $$w_{ii}\simeq\frac{pe^{2a_i\tau}}{D_i},\qquad w_{ij}\simeq r\,e^{(a_i+a_j)\tau}D_i^{-\frac{3a_i+a_j}{4a_i}}D_j^{-\frac{3a_j+a_i}{4a_j}},\qquad w_{jj}\simeq\frac{qe^{2a_j\tau}}{D_j}+\frac{w_{ij}^2}{w_{ii}} .$$
#
# The weak concept starts from $q$, not from its diagonal entry. For $s$ concepts in order of strength the starting values are the **pivots** of Gaussian
# elimination of $W(0)$, and from small starts each concept then arrives nearly as if it were alone: the *pivot law*.

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.slopes(phases, config.mu, config.sigma),
    id="slopes",
    caption="The minor entry grows, is withdrawn, and vanishes, at three rates that the strengths set (dashed): a₁+a₂, −(a₂−a₁)/2 and −(a₁+a₂).",
    alt="Three curves on a log axis that rise, fall slowly and fall fast, with dashed lines of slope plus 2.5, minus 0.75 and minus 2.5.",
    source=tied_figures.slopes,
)

# %% [markdown]
# ## Which concept comes first?
#
# Networks in 64 dimensions, axes hidden by a random rotation, trained by stochastic gradient descent: linear of one and two layers, and ReLU.

# %%
lag = orders.lag(order)  # ln(t_1 / t_2), times to half the signal at the test point

# %% tags=["hide-input"]
chapter.figure(
    network_figures.output_paths(order),
    id="paths",
    caption="The stronger signal goes first, and enough diversity overrules the signal. Markers: equal times t = 0.4, 1 and 2. Dashed: one layer, from zero. Not all have arrived by the end.",
    alt="Two panels of output paths in the unit square: they bend to the second concept, lie near the diagonal at equal signals, and bend to the first as its signal or diversity grows.",
    source=network_figures.output_paths,
)
chapter.figure(
    network_figures.order_against_diversity(order),
    id="order",
    caption="As the weak concept's data grow more diverse the order flips: for linear networks where the theory of one layer says, for ReLU somewhat later.",
    alt="Ratio of learning times against diversity for three architectures, falling through one near the dashed exact curve.",
    source=network_figures.order_against_diversity,
)
both = lag.isel(condition=[0, -1])
chapter.text(
    (
        "Concept 1 takes **{weak:.1f}** times as long as concept 2 at $\\mu=(1,2)$ (one layer, in theory: {weak_exact:.1f}) and **{strong:.2f}** times at $(3,2)$ ({strong_exact:.2f}), medians over "
        "architectures and seeds. "
        if np.isfinite(both.median(["architecture", "seed"])).all()
        else "In this run most networks do not come to learn the weak concept. "
    )
    + "In the one-layer network from small weights the order flips at {crossing:.3f} times the exact $\\sigma_1$. None of these networks has a draw-up above {most:.1%}.",
    most=order.network_draw_up.max(),
    weak=np.exp(lag.isel(condition=0).median()),
    weak_exact=order.a_2[0] / order.a_1[0],
    strong_exact=order.a_2[-1] / order.a_1[-1],
    strong=np.exp(lag.isel(condition=-1).median()),
    crossing=one_layer.crossing(single, config.diversities[0]).mean(),
)

# %% [markdown]
# The last thing to be learned is the weakest concept, and its distance shrinks exponentially.

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.slow_down(single, full),
    id="slow-down",
    caption="Late in training the output slows down exponentially, at the rate of the weakest concept (dashed).",
    alt="Two panels of the speed on log axes, each approaching a dashed straight line.",
    source=tied_figures.slow_down,
)

# %% [markdown]
# ## Are parts learned before the whole?
#
# Four concepts, a ReLU network, sixteen compositions. The paper compares losses: a larger composition should never have the smaller one. But an untrained
# network has that order already, since larger compositions lie further out. So we ask *when* each composition is right in all its concepts (each above or
# below half its signal, as it should be). And since whatever holds the weakest concept must wait for it, we compare compositions that share their weakest
# concept: does the one that holds more come later?

# %%
later = orders.later_share(compositions.composition_arrival)  # per seed; a half is chance

# %% tags=["hide-input"]
chapter.figure(
    network_figures.learned_in_order(compositions),
    id="compositions",
    caption="Left: what holds the weakest concept is right late, what does not early; how many concepts there are matters less. Right: among compositions with the same weakest concept, how often more concepts come later.",
    alt="Left: epochs until right against number of concepts, high for compositions with the weakest concept and low without. Right: histogram of shares of pairs, with chance at one half.",
    source=network_figures.learned_in_order,
)
chapter.text(
    "Of the 25 pairs with the same weakest concept the larger composition is later in **{later:.0%}** (mean of {n} seeds; chance 50 %). Of all 50 pairs it is no sooner in {all:.0%}, but a "
    "learner of one concept after the other, for which a composition's size means nothing, has 80 to 90 %.",
    later=later.mean(),
    n=later.size,
    all=measure.in_order(compositions.composition_arrival, slack=0.05).mean(),
)

# %% [markdown]
# ## What swings?

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.entries(swing, full),
    id="entries",
    caption="The minor entry rises with the strong concept and is withdrawn when that is learned: growth loses to suppression. Measured rates lie on the paper's field.",
    alt="Left: three entries of W over training; the minor one rises and falls. Right: growth above zero, suppression below, their sum on the measured line.",
    source=tied_figures.entries,
)
chapter.text(
    "The minor entry peaks at $\\tau$ = {peak:.2f}, the loss has its minimum at {low:.2f} and its maximum at {high:.2f}, and the weak entry passes one half at {half:.2f}; the "
    "weak coordinate loses **{fall:.0%}** of its first peak. The draw-up is {rise:.3f}, without minor entries {none:.3f}.",
    peak=alike.time.sel(event="minor peak").mean(),
    low=alike.time.sel(event="loss minimum").mean(),
    high=alike.time.sel(event="loss maximum").mean(),
    half=alike.time.sel(event="weak half").mean(),
    fall=alike.fall.mean(),
    rise=alike.draw_up.mean(),
    none=swing.draw_up.sel(condition=tied.WITHOUT).max(),
)

# %% [markdown]
# Every seed draws its own start. Is the size of the swing an accident of it? No: integrate the flow from the same $U(0)$ and read it off.

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.foretold(swing),
    id="foretold",
    caption="The flow from a network's own start foretells how far and when it swings. The closed form, made for smaller starts, errs on the size.",
    alt="Two scatter plots of measured against predicted draw-up and time, along the diagonal; crosses of the closed form lie beside it.",
    source=tied_figures.foretold,
)
chapter.text(
    "The flow misses the size by **{flow:.1%}** (mean over seeds, {worst:.1%} at most), the closed form by {closed:.0%}.",
    flow=abs(alike.draw_up / alike.flow_draw_up - 1).mean(),
    worst=abs(alike.draw_up / alike.flow_draw_up - 1).max(),
    closed=abs(swing.closed_form_draw_up / alike.draw_up - 1).mean(),
)

# %% [markdown]
# ## What do the data change?
#
# If clusters are wide, some samples come near the test point. Are they what matters? The paper rejects them. At its spread that rejects nothing, so we reject
# where there are some: at a larger spread, whatever lies within .5 of the test point.

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.spreads(swing),
    id="spreads",
    caption="The wider the clusters, the smaller the swing. Rejecting samples near the test point (diamond) does not end it.",
    alt="Draw-up falling with the spread of the clusters; a diamond for the run with rejected samples lies above the curve.",
    source=tied_figures.spreads,
)
rejected = swing.sel(condition=tied.REJECTED)
chapter.text(
    "Rejecting **{share:.1%}** of the samples changes the draw-up by **{change:+.0%}**: what is left has other moments. The flow under these moments foretells it within {error:.1%}.",
    share=rejected.rejected.mean(),
    change=rejected.draw_up.mean()
    / swing.draw_up.sel(condition=f"sigma {config.spreads[0]:g}").mean()
    - 1,
    error=abs(rejected.draw_up / rejected.flow_draw_up - 1).mean(),
)

# %% [markdown]
# ## How often does it happen?
#
# Alike rows were our choice. From PyTorch's usual weights it takes depth. And does the dimension of the data end it, or the width of the layers? Vary one at a
# time.

# %% tags=["hide-input"]
chapter.figure(
    network_figures.how_often(deep, wide),
    id="depth",
    caption="Left: deep linear networks, by dimension of the data and width of the layers, one at a time. Right: tied networks with a Gaussian start; the more columns, the smaller its off-diagonal entries, and the rarer the swing.",
    alt="Left: share of starts that swing against depth, one line per dimension and width. Right: the share against the number of columns of U, falling to zero.",
    source=network_figures.how_often,
)
deepest = often.isel(depth=-1).mean("seed")
chapter.text(
    "With {layers} layers of width {narrow}, **{few_narrow:.0%}** of the starts swing in {few} dimensions and **{many_narrow:.0%}** in {many}; with layers of width {wide} it is "
    "**{few_wide:.0%}** and **{many_wide:.0%}**.",
    layers=int(deep.depth[-1]),
    narrow=int(deep.width[0]),
    wide=int(deep.width[-1]),
    few=int(deep.dimension[0]),
    many=int(deep.dimension[-1]),
    few_narrow=deepest.isel(dimension=0, width=0),
    many_narrow=deepest.isel(dimension=-1, width=0),
    few_wide=deepest.isel(dimension=0, width=-1),
    many_wide=deepest.isel(dimension=-1, width=-1),
)
chapter.figure(
    tied_figures.draw_up_maps(maps),
    id="maps",
    caption="How large the swing is, by size and alikeness of the start and by the ratio of strengths. Green: 2 %, integrated and (dashed) by the closed form.",
    alt="Two heat maps of the draw-up, largest for large starts with nearly equal rows and for middling ratios of strengths.",
    source=tied_figures.draw_up_maps,
)

# %% [markdown]
# ## Three descents, four descents
#
# With more concepts there are more loans to withdraw. Here are two of many random $W(0)=uu^\top+\epsilon I$, those with most descents, and how rare they are.

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.multiple_descents(searches),
    id="descents",
    caption="The loss can descend three times with three concepts and four times with four, the last times by little (a descent counts from .2 % on); most starts descend once or twice.",
    alt="Left: two loss curves with three and four descents. Right: how often each number of descents occurs.",
    source=tied_figures.multiple_descents,
)
chapter.text(
    "Three descents with three concepts: **{three:.1%}** of starts. Four with four: **{four:.2%}**.",
    three=swings.share_of_descents(results, 3).mean(),
    four=swings.share_of_descents(results, 4).mean(),
)

# %% [markdown]
# ## When does a weak concept arrive?
#
# Sometimes a concept seems not to be learned at all. In exact flow from a positive definite start nothing is lost; it is late, because it starts from its
# pivot.

# %% tags=["hide-input"]
chapter.figure(
    tied_figures.pivot_law(laws, searches),
    id="pivots",
    caption="The pivot foretells late arrivals; early ones (right, lower left) it puts too late. The diagonal entry (grey) is usually far too early.",
    alt="Two log-log scatter plots of predicted against measured times: points by the pivot lie on the diagonal, grey points far below.",
    source=tied_figures.pivot_law,
)
chapter.figure(
    tied_figures.failure(),
    id="failure",
    caption="A concept that seems lost: long after its diagonal entry promised it, the loss stays on a plateau, which it leaves when the pivot says.",
    alt="Three entries rising one after the other on a log time axis, the loss in steps, and two vertical lines for the predictions.",
    source=tied_figures.failure,
)

# %% [markdown]
# ## Explore: make it swing
#
# Integrated in your browser. Try $\varrho$ down to 0 and below; $\omega$ down by factors of ten; $\mu_1$ towards $\mu_2$; and the switch that holds minor entries
# at zero.

# %% tags=["hide-input"]
chapter.explorer(
    SwingByExplorer(mu=(1, 2), sigma=(0.05, 0.05), omega=0.1, rho=0.95),
    id="swing-by-explorer",
    caption="The bump in the loss at the unseen point is the minor entry being withdrawn. Clock: τ, twice that of gradient flow.",
    alt="An interactive panel with sliders for signals, diversities and start: the path of the output, the losses, and the entries of W with the closed form dashed.",
    still=tied_figures.entries(swing, full),
)

# %% [markdown]
# ## Explore: train it here
#
# Not a formula this time: a network of two layers, trained on 200 points in your browser while you watch, beside the exact flow. Press
# *Train*. Then try: ReLU (does it swing further?); a *random* start of width 2 and *Next seed* a dozen times (how many
# swing?), and the same with width 8; a learning rate of .1 with eight points per update.

# %% tags=["hide-input"]
chapter.explorer(
    SwingByTrainingExplorer(mu=(1, 2), sigma=(0.05, 0.05), omega=0.1, rho=0.95),
    id="training-explorer",
    caption="A network trained in the page, beside the exact flow from the same start.",
    alt="An interactive panel with buttons to train, pause and restart a small network: the path of its output in a plane beside the exact flow, its losses, and a table of the measured and the predicted rise.",
    still=tied_figures.swing_by(swing, config.mu),
)

# %% [markdown]
# ## Explore: the lattice of compositions
#
# Move through training and watch where the order of losses breaks.

# %% tags=["hide-input"]
chapter.explorer(
    network_figures.lattice_explorer(compositions),
    id="lattice-explorer",
    caption="Loss of every composition of four concepts over training, mean of the seeds; edges that break the order are marked.",
    alt="An interactive lattice of sixteen compositions coloured by loss with a slider for the epoch.",
    still=network_figures.lattice(compositions),
    source=network_figures.lattice_explorer,
)

# %% [markdown]
# ## What holds
#
# Linear networks obey theorems, so most claims are checks that networks trained on samples do what the theory says. Evidence about networks are C3, C4, C6,
# C8, C10, C13 and C13b. C13 compares the swing with and without samples near the test point; what is left of the samples has other moments, and that changes
# it. Whether diffusion models swing by as this theory has it (claim C15) is decided where they are trained, in {doc}`/notebooks/concept_space`.

# %% tags=["hide-input"]
chapter.claims(CLAIMS, results)

# %% [markdown]
# ## How this differs from the paper

# %% tags=["hide-input"]
chapter.differences()

# %% [markdown]
# No network has biases: with them a ReLU network can tell the clusters apart, and nothing in the data says what to output where both concepts are on. The paper asks for a
# small start with all entries positive; we draw rows of correlation $\varrho$, a new pair for every seed, and report how often ordinary starts swing. Its printed
# field runs at half the speed of gradient flow; claim C7 fails without the factor 2. Slopes are measured from fixed starts of size $10^{-4}$, where the three
# phases lie far apart. The closed form T4, the pivot law and all frequencies are ours.

# %% [markdown]
# ## What to try
#
# | Change | Expect |
# |---|---|
# | `rho = 0.5` | Hardly a swing: rows must be very much alike. |
# | `spreads = [0.25, 0.5, 1.0, 2.0]` | The wider the clusters, the smaller the bump. |
# | `deep_dimensions = [2, 4, 8, 64]` | Where, between two dimensions and many, swings end. |

# %% [markdown]
# ## Exercises
#
# **1.** At which diversity $\sigma_1$ does a one-layer network take equally long for two concepts with signals $\mu_1<\mu_2$, if the other diversity is $\sigma_2$?

# %%
reversal = Exercise(
    "equally fast",
    solution=lambda mu_1, mu_2, sigma_2: theory.crossing_diversity((mu_1, mu_2), sigma_2),
    cases=[(1.0, 2.0, 0.05), (1.0, 3.0, 0.5)],
    tolerance=1e-3,
    hint="Set the two strengths equal; there are two clusters, so each centre counts for half.",
)
answer = ...  # a function of mu_1, mu_2 and sigma_2
reversal.check(answer)

# %% tags=["solution", "hide-cell"]
reversal.check(lambda mu_1, mu_2, sigma_2: (sigma_2**2 + (mu_2**2 - mu_1**2) / 2) ** 0.5)

# %% [markdown]
# **2.** Let $U$ have a single column, with equal entries. How large does $w_{11}$, of the weak concept, become in the end?

# %%
stuck = Exercise(
    "one column",
    solution=0.0,
    tolerance=1e-3,
    hint="W has rank one for ever: what is the second pivot, and when does a concept arrive that starts from it?",
)
answer = ...  # a number
stuck.check(answer)

# %% tags=["solution", "hide-cell"]
column = torch.full((2, 1), 0.05**0.5, dtype=torch.float64)
a = theory.strengths((1.0, 2.0), (0.05, 0.05))
end = theory.integrate_factor(column, a, torch.tensor([60.0], dtype=torch.float64))
stuck.check(float(end[0, 0, 0]))

# %% [markdown]
# **3.** By the closed form, how many times smaller is the peak of the minor entry from a start that is a thousand times smaller ($\mu=(1,2)$, $\sigma=.05$)?

# %%
fades = Exercise(
    "fading",
    solution=float(1000 ** ((1 - single.a_1[0] / single.a_2[0]) / 2)),
    tolerance=0.7,
    hint="At the peak the strong concept is just learned: until then both grow exponentially, which is when p exp(2 a t) is about 1.",
)
answer = ...  # a number
fades.check(answer)

# %% tags=["solution", "hide-cell"]
sizes = torch.tensor([1e-6, 1e-3], dtype=torch.float64)
tau = theory.log_times(0.05, 30.0, 600)
peak = theory.integrate(theory.initial(sizes, 0.5, 2), a, tau)[..., 0, 1].amax(0)
fades.check(float(peak[1] / peak[0]))

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
