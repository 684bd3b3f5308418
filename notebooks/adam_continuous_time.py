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
# # Adam in continuous time

# %% [markdown]
# ## The question
#
# Nearly every network is trained with Adam {cite}`kingma2015adam` or AdamW {cite}`loshchilov2019adamw`, and nearly always with habits that
# nobody derived: $(\beta,\gamma)=(0.9,0.999)$ (elsewhere called $\beta_1,\beta_2$), decoupled weight decay, normalisation layers.
# {cite:t}`gould2024adam` write Adam as a differential equation and read two things off it.
#
# - **Which memories are safe?** The largest possible update is bounded in one part of the $(\beta,\gamma)$ square and grows
#   exponentially in the other.
# - **What does a normalisation layer do to Adam?** The norm of the weights becomes a moving average of the update's size, and the
#   *direction* of the weights moves by an update that is normalised a second time. Done on purpose, and $k$ times, that is **k-Adam**.
#
# We rebuild both, find where the continuous theory and the exact one part company, put back a term that momentum makes nineteen times
# as large as what was kept, and leave behind two tools: an optimiser, `KAdam`, and a calculator for safe betas and effective learning
# rates.

# %% [markdown]
# The parameters of this chapter. Change one and run all cells; a value that makes no sense is refused in one sentence.

# %% tags=["parameters"]
seed = 0
n_seeds = 3
device = "auto"
stream_coordinates = 4096
stream_steps = 400
map_cells = 24
etas = [0.02, 0.01, 0.005]
layer_dimension = 500
layer_steps = 4000
equivalence_steps = 500
curve_exponents = [-0.045, -0.03, -0.015, 0.0, 0.03, 0.07, 0.12, 0.17, 0.2212]
learning_rates = [0.003, 0.001, 0.01]
text_symbols = 2000000
width = 32
depth = 2
heads = 4
context = 32
text_batch = 8
text_steps = 300
text_evaluation = 128
epsilon = 1e-15
hidden = 32
image_batch = 64
growth_steps = 400
angular_steps = 1000
image_sets = ["digits", "textures"]
textures = 4000
stages = [1, 2, 3]
k_learning_rates = [0.0003, 0.001, 0.003, 0.01]
k_steps = 300

# %% tags=["hide-input"]
import numpy as np
import torch

from synthcore.evidence.chapter import Chapter
from synthcore.explorers.adam import AdamExplorer
from synthcore.studies.adam_continuous_time import (
    dataset,
    experiment,
    figures,
    invariance,
    layer_figures,
    streams,
    theory,
)
from synthcore.studies.adam_continuous_time.calculator import effective_rate, safe_betas
from synthcore.studies.adam_continuous_time.claims import CLAIMS
from synthcore.training import KAdam
from synthcore.training.k_adam_stages import stage_betas, total_lag

config = experiment.Config.from_cell(globals())
chapter = Chapter("adam_continuous_time", config)

# %% [markdown]
# ## The task: a gradient that stops
#
# With gradients $g_n$, Adam keeps two moving averages and divides one by the root of the other:
#
# $$m_n=\beta m_{n-1}+(1-\beta)g_n,\quad v_n=\gamma v_{n-1}+(1-\gamma)g_n^2,\quad
# u_n=\frac{m_n/(1-\beta^n)}{\sqrt{v_n/(1-\gamma^n)}},\quad \theta\leftarrow\theta-\eta(\lambda\theta+u_n).$$
#
# Much can be learned without a network, from **streams** of gradients: dense noise, sparse noise (a rare token), slowly changing ones,
# and one whose gradients *stop* (a unit that died). After the last gradient, $m$ shrinks by $\beta$ a step and $\sqrt v$ by
# $\sqrt\gamma$. If $\beta>\sqrt\gamma$, the update **grows** although nothing happens any more. Change the two numbers.

# %%
chapter.figure(
    figures.dying_example(beta=0.95, gamma=0.8),
    id="dying",
    caption="Twenty gradients, then none: with momentum that outlives the variance the update grows exponentially, just below its bound.",
    alt="Left: twenty random gradients, then zeros. Right: on a log axis the update rises along a straight line below a dashed bound.",
)

# %% [markdown]
# ## Theory: how large can an update get?
#
# By Cauchy-Schwarz $|m_n|\le\sqrt{\sum_iM_i^2/V_i}\,\sqrt{v_n}$, with $M_i=(1-\beta)\beta^i$ and $V_i=(1-\gamma)\gamma^i$ the weights of a
# gradient of age $i$. Some stream attains it. With $q=\beta^2/\gamma$ the **exact** bound (T3) is
#
# $$\sup|u_n|=\frac{\sqrt{1-\gamma^n}}{1-\beta^n}\,\frac{1-\beta}{\sqrt{1-\gamma}}\sqrt{\textstyle\sum_{i<n}q^i}.$$
#
# It stays finite if $\beta^2<\gamma$; otherwise it grows at rate $r_d=\ln\beta-\tfrac12\ln\gamma$ per step. In **continuous time** (T2) the weights
# are $ae^{-as}$ and $be^{-bs}$ with $a=\frac{1-\beta}\beta$, $b=\frac{1-\gamma}\gamma$, and the sign of
#
# $$C(\beta,\gamma)=2a-b=\frac{2\gamma-\beta(1+\gamma)}{\beta\gamma}$$
#
# decides, with rate $r_c=-C/2$. Its frontier, $\gamma=\beta/(2-\beta)$, lies above the exact one: between them is a **wedge** that is safe although the
# continuous theory says otherwise. On the line $\beta=\gamma$ both bounds are exactly 1: no update is ever larger than the learning rate.

# %%
chapter.figure(
    figures.square(),
    id="square",
    caption="The usual settings are all stable. The wedge between the continuous and the exact frontier closes as both decays go to 1.",
    alt="The square of beta and gamma coloured by C, blue where positive above a curve, red below; a thin yellow wedge between two frontiers; four marked settings, all in the blue; beside it a close-up of the corner.",
)
gap = [theory.continuous_frontier(b) - theory.frontier(b) for b in (0.5, 0.9, 0.99)]
chapter.text(
    "For Adam's usual pair the limits are **{c:.3f}** in continuous time and **{e:.3f}** exactly. The wedge is {w5:.3f}, {w9:.4f} and {w99:.4f} wide at $\\beta=0.5, 0.9, 0.99$.",
    c=theory.continuous_limit(0.9, 0.999),
    e=theory.exact_limit(0.9, 0.999),
    w5=gap[0],
    w9=gap[1],
    w99=gap[2],
)

# %% [markdown]
# The streams obey. The worst case $g_j\propto(\gamma/\beta)^j$ lies *on* the exact bound at every step; all others stay below.

# %%
streamed = experiment.run_streams(config)
chapter.figure(
    figures.envelopes(streamed),
    id="envelopes",
    caption="The worst case runs on the exact bound, in the wedge too, where the continuous bound leaves it; dense noise never comes near.",
    alt="Four panels of the largest update against steps for four settings: the worst case lies on the dashed exact bound, the dying coordinate and sparse noise rise in the unstable panels, dense noise stays flat.",
)

# %%
chapter.figure(
    figures.growth_map(streamed),
    id="map",
    caption="The bound and what noise makes of it: the more intermittent the gradients, the more of the unstable region is felt.",
    alt="Four heat maps over beta and gamma: the bound, and the largest update for gradients in 100, 10 and 2 per cent of steps; the dark corner at large beta and small gamma deepens with sparsity.",
)

# %% [markdown]
# ### Adam as a differential equation
#
# Matching the mean *lags* of the averages gives $a=(1-\beta)/(\eta\beta)$, $b=(1-\gamma)/(\eta\gamma)$ and
#
# $$m'=a(g-m),\qquad v'=b(g^2-v),\qquad \tfrac\eta2\theta''+\theta'+\lambda\theta=-u .$$
#
# Without the first term the equation has error $O(\eta)$. Two details decide whether the second-order equation is better: rates must match lags
# ($a=-\ln\beta/\eta$ does not), and the corrections for the start must divide by the *continuous* kernels' masses, $1-e^{-at}$ instead of
# $1-\beta^{t/\eta}$. With the latter, which one reads in quotations of the paper, the error of the second-order equation falls back to first order.

# %%
toy = experiment.run_toy(config)
chapter.figure(
    figures.flow_figure(toy),
    id="flow",
    caption="On a smooth loss the second-order equation follows Adam several times more closely, and its error falls faster with the learning rate.",
    alt="Left: three weights over fifty steps, Adam under two curves. Right: log-log plot of error against eta, one line of slope one for the first-order equation, a steeper and lower one for the second-order equation.",
)
slopes = dataset.error_slope(toy.toy_error).mean("seed").sel(toy_decay=0.0)
chapter.text(
    "Order of the error in $\\eta$: **{one:.2f}** for the first-order equation, **{two:.2f}** for the second-order one, {wrong:.2f} if it matches decay rates. Its constant grows with the variance's memory, so that over much smaller $\\eta$ the slope flattens before it steepens again.",
    one=slopes.sel(equation="first order"),
    two=slopes.sel(equation="second order"),
    wrong=slopes.sel(equation="second order, decay rate"),
)

# %% [markdown]
# ### What momentum does to a norm
#
# If a normalisation follows, $f(cW)=f(W)$: gradients are orthogonal to $W$ and shrink as $1/\Vert W\Vert$. Dropping $\langle W,u\rangle$, as the paper does, leaves
# $\frac{d}{dt}\Vert W\Vert^2+2\lambda\Vert W\Vert^2=\eta\Vert u\Vert^2$: a moving average. But $u$ remembers gradients that were orthogonal to *earlier* weights.
# With $\langle W,g\rangle=0$ at all times, $\langle W,g'\rangle=\langle u,g\rangle$, hence $\langle W,u\rangle=-\eta\frac{\beta}{1-\beta}\Vert u\Vert^2$, of the same order as what was kept. So (T5)
#
# $$\frac{d}{dt}\Vert W\Vert^2+2\lambda\Vert W\Vert^2=\eta\,K\,\Vert u\Vert^2,\qquad K=\frac{1+\beta}{1-\beta},$$
#
# nineteen times as much at $\beta=0.9$. The form of a moving average survives, with decay $\gamma_2=e^{-2\eta\lambda}$ per step. At equilibrium the direction turns by
# $\eta\Vert u\Vert/\Vert W\Vert=\sqrt{2\eta\lambda/K}$ per step, whatever the loss: an effective learning rate made of $\eta\lambda$ and $\beta$ alone
# {cite}`vanlaarhoven2017l2,kosson2024rotational`.

# %% [markdown]
# ## Models and training
#
# Three kinds of training test the theory, each as one population. **Transformers** on an order-2 Markov text of 65 symbols with Zipf frequencies,
# some as rare as one in ten thousand, at points along a curve through $(0.9,0.999)$ normal to the level sets of $C$, each with several learning
# rates. **Multilayer perceptrons** on digits, with dense and with 2 % of the inputs, and with four kinds of normalisation. And **k-Adam** on digits and on
# oriented textures. A float64 shadow of Adam's averages, fed with the same gradients, checks every update of every weight against the bound.

# %%
data = experiment.run(config, chapter.progress)
chapter.save(data)

# %% tags=["hide-input"]
chapter.text(
    "Trained: {n} transformers ({steps} steps), {g} perceptrons under five kinds of gradients, {a} with and without normalisation, and k-Adam at {k} combinations per image set. The text's entropy rate is {floor:.3f} nats per symbol; the best transformer reaches {best:.3f}.",
    n=data.test_loss.size,
    steps=config.text_steps,
    g=data.growth_rate.size,
    a=data.net_angle.size,
    k=data.k_test_loss.isel(images=0, seed=0).size,
    floor=data.attrs["entropy_floor"],
    best=data.test_loss.min(),
)

# %% [markdown]
# ## Does the equation follow real training?
#
# The flow is driven by the gradients that a transformer met in its first steps, each held for one step. (Joining them by straight lines would shrink the
# variance of noisy gradients by a third.)

# %%
chapter.figure(
    figures.flow_of_transformer(data),
    id="flow-transformer",
    caption="Driven by recorded gradients, the flow stays near the weights of a transformer; the dotted line is the gate.",
    alt="Left: four weights of a transformer over a hundred steps with two solutions close to each. Right: distance over path length against step for both orders, with a dotted line at five per cent.",
)
last = data.flow_error.isel(flow_step=-1).mean("seed")
chapter.text(
    "After {n} steps the mean distance is **{two:.1%}** of the length of the path (first order: {one:.1%}).",
    n=data.sizes["flow_step"] - 1,
    two=last.isel(order=1),
    one=last.isel(order=0),
)

# %% [markdown]
# ## Do updates stay below the bound, and grow outside?

# %%
chapter.figure(
    figures.curve_updates(data),
    id="curve-updates",
    caption="Along the curve the transformer's largest update stays below the exact bound, and outside the stable region it keeps rising.",
    alt="Largest update against step at three points of the curve with two envelopes: rising for negative C, bounded for positive C.",
)

# %%
chapter.figure(
    figures.growth_rates(data),
    id="rates",
    caption="Streams grow at the predicted rate to all digits. Networks grow at nearly that rate once units saturate and their gradients stop; where units stay alive, with few inputs, hardly at all.",
    alt="Left: measured against predicted rate for the dying coordinate and the worst case, on the diagonal. Right: fitted rates of image networks, dense ones near the diagonal, sparse ones near zero.",
)

# %%
chapter.figure(
    figures.growth_in_training(data),
    id="growth",
    caption="In the stable region nothing grows. Outside it updates of densely fed networks follow the bound, since saturated units are dying coordinates; sparse inputs keep units alive and updates small.",
    alt="Four panels of the largest update against step at four settings for five kinds of gradients, with the bound dashed.",
)
worst = data.growth_most.isel(growth_point=-1).mean("seed")
share = data.growth_density.isel(growth_point=-1).mean("seed")
chapter.text(
    "At $(0.9,0.5)$ the largest update within {n} steps is {dense:.1e} with mini-batches, {full:.1e} with a full batch, {relu:.1e} with ReLU units, but {sparse:.3g} with 2 % of the inputs. The coordinate of the largest update had a gradient in only {alive:.0%} of the steps with mini-batches: its unit saturated (GELU underflows, ReLU dies) and got no gradient ever again, and Adam moved its weights faster and faster. So it is not sparsity that the bound waits for, but gradients that *stop*; this is how loss spikes come about when $\\gamma$ is too small.",
    n=config.growth_steps,
    dense=worst.sel(regime="mini-batch"),
    full=worst.sel(regime="full batch"),
    sparse=worst.sel(regime="2 % inputs"),
    relu=worst.sel(regime="mini-batch, ReLU"),
    alive=share.sel(regime="mini-batch"),
)

# %% [markdown]
# The same record, layer by layer, is a dashboard: which tensor receives the large updates?

# %%
chapter.figure(
    figures.dashboard(data),
    id="dashboard",
    caption="Largest update of every tensor: outside the stable region the read-out, whose rare symbols have gradients now and then, receives ever larger updates; at the usual setting no tensor does.",
    alt="Two heat maps of the largest update over steps and parameter tensors, for the least and the most stable point of the curve.",
)

# %% [markdown]
# ## Does $C$ predict generalisation?
#
# The update's size depends on $\beta$, so every point gets its own learning rate, the one with the lowest *validation* loss.

# %%
chapter.figure(
    figures.loss_against_exponent(data),
    id="generalisation",
    caption="Tuned test loss falls with C along the curve, across the frontier without a jump.",
    alt="Test loss against C: grey lines for three learning rates and a blue line for the tuned one, falling to the right.",
)

# %% [markdown]
# ## Is the squared norm a moving average?

# %%
chapter.figure(
    layer_figures.norm_law(data),
    id="norm",
    caption="With the momentum term the law follows the norm; without it the norm is predicted to collapse. Full batches break the assumption behind it.",
    alt="Left: squared norm over steps with the corrected law on top and the uncorrected one far below. Right: growth ratio against beta on the curve (1+beta)/(1-beta) for noisy gradients.",
)
ratio = data.growth_ratio.sel(gradient="noise", moment="coordinate", layer_beta=0.9).mean("seed")
rates = data.sel(layer="twice the initial norm")
rate = (rates.layer_memory / (2 * rates.layer_eta * rates.layer_decay)).mean("seed")
chapter.text(
    "At $\\beta=0.9$ the norm grows **{ratio:.2f}** times as fast as without the term (the law says 19), and forgets its start at {rate:.3f} of the rate $2\\eta\\lambda$.",
    ratio=ratio,
    rate=rate,
)

# %% [markdown]
# ## Is the step normalised twice?

# %%
chapter.figure(
    layer_figures.angular_steps(data),
    id="angles",
    caption="A normalised layer settles at the predicted angle per step, whatever its initial norm and the scale of the loss.",
    alt="Angular step over training in three panels: simulated layer with the dashed formula, network with layer norm, network without; three conditions each.",
)
small = data.layer_angle.sel(layer="base").mean("seed")
chapter.text(
    "Simulated: {angle:.5f} rad per step, formula {formula:.5f}. Multiplying the loss by 100 changes nothing, with or without a normalisation layer: Adam's own division removes the scale. And weight decay makes any layer under Adam forget its initial norm, so that part of the claim which says that networks *without* normalisation remember it depends on how long one waits.",
    angle=small,
    formula=effective_rate(1e-3, 1.0, 0.9, config.layer_dimension).angular_step,
)

# %%
chapter.figure(
    layer_figures.equal_products(data),
    id="products",
    caption="Learning rate varied fourfold at equal product with the weight decay: normalised networks settle at the same angle.",
    alt="Angular step over training for three conditions in four panels, one per kind of normalisation; the curves meet in the normalised ones.",
)

# %% [markdown]
# ## k-Adam
#
# Each stage normalises the update of the stage before: $u^{(0)}=g$, $u^{(i)}=\hat m_i/\sqrt{\hat v_i}$, and the weights move by $u^{(k)}$. Only the last stage decides how large an
# update can get, and the mean lags of the stages add up. The paper names strategies for $(\beta_i,\gamma_i)$: *naive* (the same pair everywhere), *uniform*,
# *exp* and *inverse exp*. Their formulas were not accessible to us: **ours are reconstructions** that share the total lag among the stages with weights
# $1/k$, $2^i$ and $2^{-i}$; *power* takes $\beta^{1/k}$.

# %%
optimizer = KAdam([torch.nn.Parameter(torch.zeros(3))], lr=1e-3, k=2, strategy="exp")
lags = {
    name: total_lag([b for b, _ in stage_betas(2, 0.9, 0.999, name)])
    for name in ("naive", "uniform", "power")
}
chapter.text(
    "With $k=2$ the total lag of the momentum is {naive:.0f} steps for *naive*, {uniform:.0f} for *uniform* (as for Adam) and {power:.0f} for *power*.",
    **lags,
)

# %%
chapter.figure(
    layer_figures.k_adam(data),
    id="k-adam",
    caption="Loss against k at tuned learning rates: strategies that keep the total memory cost least; whether a second stage helps depends on data and normalisation.",
    alt="Test loss against k for five strategies in one panel per image set and kind of normalisation; naive and power rise steeply, the others stay nearer to k = 1.",
)
tuned = dataset.tuned(data.k_test_loss, data.k_validation_loss, "k_learning_rate")
gain = tuned.sel(strategy="uniform").mean("seed")
gain = gain.sel(k=1) - gain.sel(k=2)
chapter.text(
    "Loss of $k=1$ minus loss of $k=2$ (uniform), averaged over image sets: {none:+.3f} nats without normalisation, {layer:+.3f} with layer normalisation (positive: 2-Adam is better).",
    none=gain.sel(k_norm="none").mean(),
    layer=gain.sel(k_norm="layer").mean(),
)

# %% [markdown]
# That 2-Adam *is* Adam with a normalisation layer can be seen directly: the direction of a normalised layer under AdamW, and a unit vector whose update is normalised a
# second time with decay $\gamma_2=e^{-2\eta\lambda}$ and constant $K$, stay together on the same noise.

# %% tags=["hide-input"]
together = data.equivalence.min("pair").mean("seed")
chapter.text(
    "Smallest cosine after {n} steps: **{k:.4f}** with $K$, {plain:.3f} with $K=1$; meanwhile both have turned to a cosine of {start:.2f} with their start.",
    n=config.equivalence_steps,
    k=together.sel(correction="momentum"),
    plain=together.sel(correction="none"),
    start=data.equivalence_start.mean(),
)

# %% [markdown]
# ## Explore: safe betas and effective learning rates
#
# Drag the point across the frontier with sparse gradients; then try dense ones. Below, a calculator: the angle per step depends on $\eta\lambda$ and $\beta$ only.
# Elsewhere in the book it matters that the rate bounds the step, whatever the gradient: in {doc}`/notebooks/finetuning_wrappers` the learning rate decides whether a capability is
# rewritten, and in {doc}`/notebooks/percolation` twice the data per update does not halve the time.

# %%
chapter.explorer(
    AdamExplorer(),
    id="adam-explorer",
    caption="Adam explorer: bounds, memories and a simulated stream at any (beta, gamma), and the effective learning rate of a normalised layer.",
    alt="An interactive square of beta and gamma with stable and unstable regions, charts of the bounds and of a simulated update, and a calculator of the effective learning rate.",
    still=figures.square(),
)

# %% [markdown]
# The same from Python:

# %%
print(safe_betas(0.95, 0.8))
print(safe_betas(0.9, 0.999))
print(effective_rate(lr=1e-3, weight_decay=0.1, beta=0.9, dimension=4096))

# %% [markdown]
# ## What holds

# %%
chapter.claims(CLAIMS, data)

# %% [markdown]
# ## A longer run, recorded

# %%
recorded = chapter.recorded()
chapter.recorded_note(None)
if recorded is None:
    recorded = data
chapter.figure(
    figures.loss_against_exponent(recorded),
    id="recorded-generalisation",
    caption="More points, longer training: the loss falls with C on both sides of the frontier.",
    alt="Test loss against C with more points: falling to the right.",
)

# %%
chapter.figure(
    layer_figures.k_adam(recorded),
    id="recorded-k-adam",
    caption="k-Adam with more stages and longer training.",
    alt="Test loss against k up to five for five strategies, one panel per image set and kind of normalisation.",
)

# %% [markdown]
# ## What differs from the paper
#
# - **Sources.** The full text was not accessible to us; equations are taken from the reviews that quote them or derived anew. Strategies of k-Adam are reconstructions.
# - **The exact frontier.** $\gamma>\beta^2$ instead of $\gamma>\beta/(2-\beta)$: the wedge between them is safe. Far from $(1,1)$ use $r_d$, not $r_c$.
# - **The norm law** has the factor $K=(1+\beta)/(1-\beta)$. Testing the uncorrected law with $\beta=0$ only would have hidden this.
# - **Bias corrections** of the flow divide by the continuous kernels' masses; with $1-\beta^{t/\eta}$ the second-order equation is no better than the first.
# - **Growth in training.** The bound is about all possible histories, and we expected it to matter for intermittent gradients: sparse above full batch above mini-batch (C3b). The
#   order came out differently, because units of densely fed perceptrons saturate outside the stable region and their gradients then stop, while sparse inputs keep units alive.
# - **The gap between the bounds** does not grow everywhere towards the frontier: on $\beta=\gamma$ it is zero, and it is from there on that it grows. The claim says so.
# - **Scale.** Small transformers on a synthetic text in place of Shakespeare, perceptrons on digits and textures in place of CNNs on CIFAR10.
# - **Seeds of the toy problem** move its start by one per cent. Moved ten times as far, the path meets other curvatures and one slope of six left its gate (C1).
# - **Free choices.** The simulated layers of C5 and the initial norm 0.3 in C7 are ours; what we know of the paper leaves them open.
# - **$\epsilon$** is $10^{-15}$ in the transformers and 0 in the monitor: the usual $10^{-8}$ caps the growth.
# - **Not reproduced.** The table above says what and by how much. The part of C6 about networks without normalisation rests on waiting: with decoupled weight decay Adam forgets
#   the initial norm there too, since its update does not depend on the scale of the gradient.

# %% [markdown]
# ## What to try
#
# Each line is one change: of values in the parameters cell, or of the scale of `synthcore run adam_continuous_time --scale ...`.
#
# | Change | Expect | Known from |
# |---|---|---|
# | `epsilon = 1e-8` | The usual value. It caps the growth of updates outside the stable region. | the list above |
# | `stages = [1, 2, 3, 4, 5]` | k-Adam with more stages. A second one does not help here, and five cost more than two. | the run *reference* |
# | `n_seeds = 5` | Intervals of the part of C6 that rests on waiting get narrower; its verdict stays. | the run *reference* |

# %% [markdown]
# ## Exercises
#
# **1.** Show that for $\beta=\gamma$ no update is ever larger than the learning rate, and check it on correlated gradients.

# %% tags=["hide-cell"]
random = np.random.default_rng(0)
g = random.standard_normal((300, 1, 200)).cumsum(0)
largest = max(np.abs(u).max() for u in streams.updates(g, np.array([0.95]), np.array([0.95])))
# m_n is a weighted mean of the gradients and v_n the same mean of their squares: Jensen.
assert largest <= 1 + 1e-12
chapter.text("Largest update: {largest:.6f}.", largest=largest)

# %% [markdown]
# **2.** Someone trains with $\gamma=0.95$ and would like $\beta=0.98$. Is it safe? What is the largest safe $\beta$, and after how many steps can an update be ten times too large?

# %% tags=["hide-cell"]
answer = safe_betas(0.98, 0.95)
bound = theory.exact_bound(0.98, 0.95, np.arange(1, 2000))
steps_to_ten = int(np.argmax(bound > 10)) + 1
assert answer.region == "unstable"
assert abs(answer.largest_beta**2 - 0.95) < 1e-12
chapter.text(
    "{answer} The largest safe beta is {beta:.4f}; the bound passes 10 at step {n}.",
    answer=str(answer),
    beta=answer.largest_beta,
    n=steps_to_ten,
)

# %% [markdown]
# **3.** At equilibrium, how long does a normalised layer remember its direction? Derive $e^{-\eta\lambda n}$ for the cosine and simulate it, with and without momentum.

# %% tags=["hide-cell"]
eta, decay, d, n = 1e-3, 1.0, 200, 500
norm = effective_rate(eta, decay, 0.9, d).norm
layers_ = [invariance.Condition(beta=b, eta=eta, decay=decay, norm=norm) for b in (0.0, 0.9)]
at = [invariance.simulate(layers_, [7, 7], d, steps).direction for steps in (1000, 1000 + n)]
cosines = (at[0] * at[1]).sum(-1)
# Turns of sqrt(2 eta lambda / K) are correlated over a lag; their random walk gains a factor K back.
assert np.abs(cosines - np.exp(-eta * decay * n)).max() < 0.12
chapter.text(
    "Cosine after {n} steps: {plain:.2f} without momentum, {momentum:.2f} with; $e^{{-\\eta\\lambda n}}$ is {law:.2f}. Momentum slows every step and not the journey.",
    n=n,
    plain=cosines[0],
    momentum=cosines[1],
    law=np.exp(-eta * decay * n),
)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
