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
# # Forking paths in text generation

# %% tags=["parameters", "hide-input"]
seed = 0
n_seeds = 8
device = "auto"
worlds = 40
lengths = [60, 120]
samples = [5, 10, 30, 100]
headline = 30
start = 300
p_thresh = 0.05
planted = 100
counted = 40
noise_worlds = 10
noise_samples = [5, 10, 20, 30, 50, 100, 200]
spent = [5, 10, 20, 30, 50]
spent_worlds = 20
backend_samples = 10
network_seeds = 4
network_worlds = 2
network_length = 40
network_width = 32
network_steps = 400
network_batch = 32
network_learning_rate = 0.009
released_runs = False
questions = 0
question_samples = 30
question_start = 60
answer_tokens = 64
k_max = 10
logprobs = 20

# %% tags=["hide-input"]
import numpy as np
import torch
import xarray as xr

from synthcore.changepoints import dirichlet_multinomial, posterior
from synthcore.evidence.chapter import Chapter
from synthcore.evidence.exercise import Exercise
from synthcore.studies.forking_paths import theory
from synthcore.studies.forking_paths.claims import CLAIMS, endpoints
from synthcore.studies.forking_paths.config import FIRST, Config
from synthcore.studies.forking_paths.experiments import (
    backends,
    detection,
    language_model,
    released,
    sampling,
)
from synthcore.studies.forking_paths.figures import detection as figures
from synthcore.studies.forking_paths.figures import language_models, texts
from synthcore.studies.forking_paths.measure import analysis
from synthcore.studies.forking_paths.task import backend as language
from synthcore.studies.forking_paths.task.world import ForkWorld, Recipe

config = Config.from_cell(globals())
chapter = Chapter("forking_paths", config)

# %% tags=["hide-input"]
found = chapter.stage(detection.run)
counts_of_forks = chapter.stage(detection.counting)
one_fork = chapter.stage(detection.planted)
noise = chapter.stage(sampling.noise)
survival = chapter.stage(sampling.lasting)
budgets = chapter.stage(sampling.spending)
every_backend = chapter.stage(backends.run)
networks = chapter.stage(backends.networks)
paper = chapter.stage(released.run)
at_home = chapter.stage(language_model.run)
results = xr.DataTree.from_dict(
    {
        "detection": found,
        "counting": counts_of_forks,
        "planted": one_fork,
        "noise": noise,
        "survival": survival,
        "spending": budgets,
        "backends": every_backend,
        "networks": networks,
        "released": paper,
        "language_model": at_home,
    }
)

# %% tags=["hide-input"]
example = texts.example(config)
recall = endpoints.headline(results, "recall").isel(jump=-1)
precision = endpoints.headline(results, "precision")
chapter.card(
    "In texts whose forks are planted, {s} completions after every likely token find **{recall:.0%}** of the large changes of the outcome, and {precision:.0%} of what is "
    "found is there. A few tokens decide; most change nothing. "
    + (
        "In the paper's own runs **{share:.0%}** of {n} questions change at some token, by its recipe."
        if paper.sizes["question"]
        else "What language models do, the reference run shows from the paper's released answers."
    ),
    s=config.headline,
    recall=recall.mean(),
    precision=precision.mean(),
    share=endpoints.recipe(results, "alarm").mean() if paper.sizes["question"] else 0,
    n=paper.sizes["question"],
)

# %% tags=["hide-input"]
chapter.explorer(
    texts.explorer(config),
    id="forking",
    caption="Click a token to write another one; move S and see noise turn into forks. Outcomes, samples and the exact posterior of change points are worked out in the browser.",
    alt="A text with clickable tokens, outcome bands, change-point posterior, and the tokens that may stand at one place with their outcomes.",
    still=texts.along_text(example),
    source=texts.explorer,
)

# %% [markdown]
# ## The question
#
# A language model writes an answer token by token. At which token is the answer decided? {cite:t}`bigelow2024forking` resample the text from every position and follow
# how the distribution of final answers moves. Their hypothesis: at a few **forking tokens** another likely word would have led elsewhere. The method needs
# completions and token probabilities only. But nobody knows where a real model *truly* forks, so here forks are planted in a language in which every
# outcome distribution can be computed.

# %% tags=["hide-input"]
chapter.parameters(first=FIRST)

# %% [markdown]
# ## The task: a language with planted forks
#
# A **ForkWorld** text has $T$ tokens and ends with an answer. At most places three synonyms follow and none matters. At a **fork** each of two or three tokens leads
# to a regime of its own, in which the answer is distributed differently. **Rare** forks leave with probability .06 to .15, **hidden** ones with .01 to .04; at
# a **drift** other tokens move the outcome a little. A fork may look like a word, a number or a punctuation mark. The state is a function of the
# text so far, so the outcome distribution $o_t$ before token $t$ follows from $V_t(s)=\sum_wp_t(w\mid s)\,V_{t+1}(\delta(s,w))$.

# %%
world = ForkWorld(3, Recipe(60, forks=(2,)))
rng = np.random.default_rng(0)
for _ in range(3):
    tokens = []
    while (likely := world.next(tokens))[0]:
        tokens.append(likely[0][rng.choice(len(likely[1]), p=likely[1])])
    print("".join(tokens).replace("\n", " | "))

# %% tags=["hide-input"]
chapter.figure(
    texts.along_text(example),
    id="text",
    caption="The redder a token, the more probable a change after it. Sampled outcomes follow the exact ones, and the posterior of change points stands over the planted forks.",
    alt="A text with reddened tokens; two stacked areas of four outcomes over token position, one exact and one noisy; bars of change-point probability.",
    source=texts.along_text,
)

# %% [markdown]
# ## Build it yourself
#
# Sample, count, and ask where the counts change: nothing but torch. The language is asked as any model is, for tokens and their probabilities.


# %%
def complete(prefix, times):
    """Answers of texts that go on from here, 0 to 3."""
    answers = []
    for _ in range(times):
        text = list(prefix)
        while (likely := world.next(text))[0]:
            text.append(likely[0][torch.multinomial(torch.tensor(likely[1]), 1, generator=g)])
        answers.append(world.answers.index(text[-1]))
    return torch.tensor(answers)


g = torch.Generator().manual_seed(0)
greedy = world.base_path()
counts = torch.zeros(len(greedy), 4, dtype=torch.float64)
for t in range(len(greedy)):
    tokens, p = world.next(greedy[:t])
    tried = [w for w in range(len(tokens)) if p[w] > 0.05 or w == 0]
    weight = torch.tensor([p[w] for w in tried]) / sum(p[w] for w in tried)
    shares = torch.stack(
        [torch.bincount(complete([*greedy[:t], tokens[w]], 10), minlength=4) / 10 for w in tried]
    )
    # the mean over tokens is as precise as this many completions
    counts[t] = 10 / weight.square().sum() * (weight[:, None] * shares).sum(0)

# %% [markdown]
# A segment has one unknown distribution; under a flat prior its counts $n_a$ have the probability $\Gamma(K)/\Gamma(K+\sum n_a)\prod\Gamma(1+n_a)$. One change at $\tau$
# makes two segments, and all $\tau$ that leave three tokens on each side are equally likely.


# %%
def evidence(n):
    """Log probability of the counts of a segment, (K,)."""
    four = torch.tensor(4.0, dtype=n.dtype)
    return torch.lgamma(four) - torch.lgamma(4 + n.sum()) + torch.lgamma(1 + n).sum()


places = range(3, len(greedy) - 2)
one = torch.stack([evidence(counts[:c].sum(0)) + evidence(counts[c:].sum(0)) for c in places])
none = evidence(counts.sum(0))
some = one.logsumexp(0) - np.log(len(places))
p_change = (some - none).sigmoid()  # a change or none: even odds before
p_tau = p_change * one.softmax(0)
print(
    f"P(one change) = {p_change:.4f}, most probably after token {places[int(p_tau.argmax())] - 1}"
)
print(f"planted: {world.forks('fork').tolist()}")
exact = posterior(dirichlet_multinomial(counts[None]), m_max=1)
chapter.same(p_tau, exact.p_tau[0, 3:-2])  # fifty lines and the library agree

# %% [markdown]
# ## Theory
#
# Three identities hold along every greedy text, with $p^*$ the probability of its token and $o_{\rm alt}$ the mean over the others:
#
# - **I1** $o_{t,x^*_t}=o_{t+1}$: the greedy branch at $t$ ends where position $t+1$ begins, a second estimate for free.
# - **I2** $o_{t+1}-o_t=(1-p^*)(o_{t+1}-o_{\rm alt})$, so the jump $J_t={\rm TV}(o_{t+1},o_t)$ is at most $1-p^*$.
# - **I3** $J_t\le e_t$, the expected distance to another token's outcomes. A change on the path needs a hazard; the converse fails.
#
# With more than one change, the posterior over *all* segmentations is a sum that dynamic programming does exactly {cite}`fearnhead2006exact`: with $F_k(e)$ the total
# weight of cutting the first $e$ positions into $k$ pieces, $F_k(e)=\sum_sF_{k-1}(s)L(s,e)$, and the same backwards ({doc}`/book/api/changepoints`). The paper fits
# pieces of lines to one number, the distance $y_t$ from $o_0$, by MCMC.

# %%
ensemble = example.ensemble
violation = theory.identities(ensemble.p, ensemble.after, ensemble.o)
print({name: f"{value:.0e}" for name, value in violation.items()})

# %% tags=["hide-input"]
chapter.figure(
    texts.parallel_sets(example, int(example.world.forks("fork")[0])),
    id="parallel",
    caption="A token before the fork, and the fork. Width: probability of the token; height: outcomes after it. Only at the fork do columns differ by more than noise.",
    alt="Two panels of stacked bars, one column per token that may stand there; the columns differ strongly in the second panel only.",
    source=texts.parallel_sets,
)
chapter.figure(
    texts.drift(example),
    id="drift",
    caption="The paper's series. Estimated from the branches it is zero at t = 0 and biased upwards everywhere else, a step that no token caused; with o₀ from 300 completions of the prompt, as in the release, there is no such step.",
    alt="Distance from the first outcome distribution over token position: noisy points above zero, a solid fitted line and a dashed exact line that agree.",
    source=texts.drift,
)

# %% [markdown]
# ## Are forks found, and nothing else?
#
# A detection is right if a change of at least .02 lies within two positions. First specified was .1: then every detection of a smaller true change is called false.
# Both are shown; claims are decided by ours, and the table has the old rule beside it.

# %% tags=["hide-input"]
chapter.figure(
    figures.detection(found),
    id="detection",
    caption="Thirty completions per branch find nearly every jump of .2 and more; smaller ones take more. What looks false against a truth of .1 are smaller true changes.",
    alt="Left: recall against completions per branch for four sizes of jump. Right: precision, with a change of .02 and of .1 as truth.",
    source=figures.detection,
)
chapter.figure(
    figures.calibration(found, counts_of_forks, config.headline),
    id="calibration",
    caption="Left: stated probabilities of a change are close to frequencies. Right: the exact model counts right; models of the distance do not.",
    alt="Left: frequency of a change against its stated probability, near the diagonal. Right: errors of counts for four detectors.",
    source=figures.calibration,
)
at = found.sel(samples=config.headline, detector="exact DM").mean(["length", "seed"])
alarm = counts_of_forks.alarm.sel(forks=0).mean("seed")
chapter.text(
    "At S = {s}: precision **{ours:.3f}**, and {specified:.3f} with .1 as the least change that counts; recall of all changes of .1 and more {recall:.3f}. {spurious:.2f} detections of nothing per text; "
    "with positions in a random order {mixed:.1f}. On texts without a fork the exact model raises an alarm in {exact:.1%}, the paper's kind of model in {beast:.1%}, and without its jitter in {bare:.1%}.",
    s=config.headline,
    ours=at.precision,
    specified=at.precision_specified,
    recall=at.recall_specified,
    spurious=at.spurious,
    mixed=endpoints.headline(results, "spurious", "without time").mean(),
    exact=alarm.sel(model="exact DM"),
    beast=alarm.sel(model="BEAST-like"),
    bare=alarm.sel(model="BEAST-like, no jitter"),
)

# %% [markdown]
# ## Two different questions
#
# *Did the text change the outcome here?* (change points of $o_t$) and *could another token have changed it?* (hazard: the probability of a token after which the
# outcomes are far). One fork per text, of four kinds. Where a text is a walk on a known graph, neither has to be sampled: {doc}`/notebooks/stepwise_inference`.

# %% tags=["hide-input"]
chapter.figure(
    figures.jumps_and_distances(one_fork),
    id="questions",
    caption="Left: no jump exceeds the expected distance (I3). Right: change points miss most of the rare forks that hazards see, and find some of the hidden ones that hazards cannot.",
    alt="Left: jump against expected distance under a dashed bound. Right: share of planted forks found by change points and by hazards for four kinds of forks.",
    source=figures.jumps_and_distances,
)
chapter.text(
    "Learned on the way: we expected forks below the threshold to be invisible. Hazards see {hazard:.2f} of them, change points **{change:.2f}**: every completion that starts earlier "
    "takes the hidden branch with its true probability, so dozens of positions before the fork disagree with dozens after it.",
    hazard=one_fork.hazard_hit.sel(fork="hidden").mean(),
    change=one_fork.change_hit.sel(fork="hidden").mean(),
)

# %% [markdown]
# **Survival** is the probability that no token on the way was one after which the outcomes are far. With few completions every text seems to fork: two histograms of one
# distribution are a distance apart, and survival multiplies over positions. What noise alone does is seen by dealing the completions of a position anew to all of its
# tokens, the greedy one included; were that to keep its own, real forks would leak into the null.

# %% tags=["hide-input"]
chapter.figure(
    figures.survivals(survival, config.headline),
    id="survivals",
    caption="Texts without a fork survive in truth at every distance. Ten completions per branch say otherwise, and noise alone says the same. With forks, what is observed falls below what noise does.",
    alt="Survival against the distance that counts, for texts without and with forks: exact, observed and by noise alone, for two numbers of completions.",
    source=figures.survivals,
)

# %% [markdown]
# ## How many completions?

# %% tags=["hide-input"]
chapter.figure(
    figures.sampling_noise(noise),
    id="noise",
    caption="Left: two histograms of the same branch differ by a distance that falls as the root of S. Right: what stands between the estimate and the truth.",
    alt="Left: total variation between two histograms against S on log axes, with its dashed law. Right: bars of the error of o_t by cause.",
    source=figures.sampling_noise,
)
chapter.figure(
    figures.spending(budgets),
    id="spending",
    caption="What the same number of sampled tokens buys: spread evenly, with the greedy branch pooled into the next position, and spent where the posterior is open.",
    alt="Brier score and recall against sampled tokens for uniform, pooled and adaptive sampling.",
    source=figures.spending,
)
saved = sampling.tokens_saved(budgets, len(config.spent) // 2)
chapter.text(
    "Averaging over segmentations lowers the error of $o_t$ from {raw:.3f} to {smooth:.3f}. Adaptive sampling "
    + (
        "reaches the Brier score of uniform S = {s} with {share:.0%} of its tokens."
        if np.isfinite(saved)
        else "does not reach the Brier score of uniform S = {s} in this run."
    ),
    s=config.spent[len(config.spent) // 2],
    share=saved,
    raw=found.error_raw.mean(),
    smooth=found.error_smoothed.mean(),
)

# %% [markdown]
# ## Does it work on any model?
#
# The same call analyses a world directly, over HTTP, from a file, and networks that have learned worlds of their own.

# %%
asked = analysis.run_fpa(
    language.ForkWorldBackend(world),
    language.PROMPT,
    language.answer_of(world),
    samples=10,
    max_tokens=100,
    outcomes=world.names,
    start=config.start,
)
print(len(asked.tokens), "tokens,", len(asked.t), "branches,", asked.counts.sum(), "completions")
print(dict(zip(asked.outcomes, asked.counts[0], strict=True)), "after", asked.token[0])

# %% tags=["hide-input"]
chapter.figure(
    figures.backends(every_backend, networks),
    id="backends",
    caption="The error of every backend is that of sampling. One that forgets the text so far is found out.",
    alt="Dots per backend near one, except for the control, which lies above.",
    source=figures.backends,
)
if bool(networks.error.notnull().any()):
    chapter.figure(
        figures.learned(networks),
        id="learned",
        caption="As far as a network has learned its language it forks where that does: outcomes along its greedy text, sampled from the network, and exact in the language (white: no answer).",
        alt="Two stacked areas of outcomes over token position, of a network and of the language it was trained on.",
        source=figures.learned,
    )
chapter.text(
    "Error of the networks' outcomes against the exact ones of their language: {error:.3f}, of which sampling gives {noise:.3f}; {recall:.0%} of the language's jumps of .2 and more are "
    "found in the networks, with {spurious:.2f} detections of nothing per text.",
    error=networks.error.mean(),
    noise=networks.noise.mean(),
    recall=networks.recall.mean(),
    spurious=networks.spurious.mean(),
)

# %% [markdown]
# **Your own model.** Any server that speaks OpenAI's API with log probabilities will do ({doc}`/book/run_it_yourself`):
#
# ```bash
# synthcore fork --base-url http://127.0.0.1:8080/v1 --model my-model --prompt-file question.txt \
#     --outcome-regex 'answer is (\w+)' -S 30 --out runs/question
# ```
#
# An answer needs at least six tokens, three on each side of a change.

# %% [markdown]
# ## Language models
#
# First the paper's own runs: 231 questions to GPT-3.5-turbo-instruct, recounted from the files that its authors released
# (`ebigelow/forking-paths-streamlit`). Only numbers computed from them are kept here. Beside them, the same questions were simulated with as many changes as the
# authors' posteriors have, and with none: what a rule accepts and refuses.

# %% tags=["hide-input"]
if paper.sizes["question"]:
    chapter.figure(
        language_models.one_question(paper),
        id="question",
        caption="One question of HotpotQA (8076): the answer is open for the first third of the text and settled within a few tokens.",
        alt="Stacked answer shares over token position that turn from mixed to a single answer; bars of change-point probability.",
        source=language_models.one_question,
    )
    chapter.figure(
        language_models.change_points(paper),
        id="change-points",
        caption="Left: changes per question, a cautious count. Right: how many questions have one at all. CoinFlip hardly changes; LastLetter leads, by no more than its interval.",
        alt="Change points per question, and share of questions with one, by task and model, with intervals.",
        source=language_models.change_points,
    )
    chapter.figure(
        language_models.survival(paper),
        id="survival",
        caption="Left: the probability that no token on the way would have led elsewhere. Right: the same if no token mattered: noise alone makes forks at small ε, and next to none at .6.",
        alt="Two panels of survival against the distance that counts, one curve per task; observed and by noise.",
        source=language_models.survival,
    )
    chapter.figure(
        language_models.token_classes(paper, paper.after.sel(source="released")),
        id="classes",
        caption="Tokens before a change are what tokens are: punctuation forks, and no more often than its share.",
        alt="Bars of the share of token classes among tokens before a change and among all tokens.",
        source=language_models.token_classes,
    )
    ends = paper.sel(eps=0.6, method="nearest")
    chapter.text(
        "Survival at ε = 0.6: {seen:.2f}, and {noise:.3f} if no token mattered: a text is a token away from another answer in **{away:.0%}** of the paths, beyond noise. As the released dashboard computes it, "
        "on vectors scaled by the token's probability, it would be {scaled:.2f}. {sure:.0%} of the questions end with .9 on one answer; {hidden:.0%} of these have a change point.",
        seen=ends.survival.mean(),
        noise=ends.survival_by_noise.mean(),
        away=(ends.survival_by_noise - ends.survival).mean(),
        scaled=paper.scaled.mean(),
        sure=(paper.end.sel(source="released") >= 0.9).mean(),
        hidden=endpoints.recipe(results, "alarm")
        .where(paper.end.sel(source="released", drop=True) >= 0.9)
        .mean(),
    )
else:
    chapter.text(
        "*This run has no released runs: they are not part of the project (`released_runs`).*"
    )

# %% [markdown]
# Then a language model on this machine: SmolLM2-135M {cite}`allal2025smollm2` behind llama.cpp, on generated questions of four kinds. It is too small to answer well, but it
# writes. `make llm` installs it; a run is kept completion by completion and goes on where it stopped.

# %% tags=["hide-input"]
if at_home.sizes["question"]:
    chapter.figure(
        language_models.small_model(at_home),
        id="small-model",
        caption="Greedy answers of SmolLM2-135M, one of each kind; the redder a token, the more probable a change after it. Bands: outcomes if the text went on from here.",
        alt="Short answers with reddened tokens, each over a stacked area of outcome shares by token position.",
        source=language_models.small_model,
    )
    forks = at_home.p_m.sel(source="observed", m=0) < 0.1
    chapter.text(
        "{n} questions, {completions:,.0f} completions, {right} answered rightly. P(a change point) is above .9 in {some} of them, and in {mixed} with tokens in a random order; survival {seen:.2f}, "
        "and {noise:.2f} if no token mattered. By kind: {kinds}. So few questions say nothing of an order of kinds.",
        n=at_home.sizes["question"],
        completions=at_home.completions.sum(),
        right=int(at_home.right.sum()),
        some=int(forks.sum()),
        mixed=int((at_home.p_m.sel(source="in random order", m=0) < 0.1).sum()),
        seen=at_home.survival.mean(),
        noise=at_home.survival_by_noise.mean(),
        kinds=", ".join(
            f"{task} {int(forks.values[at_home.task.values == task].sum())} of {int((at_home.task.values == task).sum())}"
            for task in language_models.tasks(at_home)
        ),
    )
else:
    chapter.text("*This run asked no language model (`questions`).*")

# %% [markdown]
# ## What holds
#
# What a detector finds where forks are known, and what language models do, is evidence. What holds by construction is a check of code.

# %% tags=["hide-input"]
chapter.claims(CLAIMS, results)

# %% [markdown]
# ## How this differs from the paper

# %% tags=["hide-input"]
chapter.differences()

# %% [markdown]
# The change-point model is exact and works on counts; the paper runs MCMC on a distance. On the released runs its recipe is used, with Rbeast {cite}`zhao2019beast`, and
# four draws of its jitter are averaged. Completions are never de-duplicated (short ones repeat, and an average over different strings overweights rare answers),
# and survival compares distributions, not distributions scaled by the token's probability. For forks with a greedy probability above .93 the threshold is .02, so that
# their alternative is tried at all. Text interfaces retokenise: a prefix cut at a token may be read as other tokens than the model wrote.

# %% [markdown]
# ## What to try
#
# | Change | Expect |
# |---|---|
# | `samples = [5, 10, 30, 100, 200]` | With 200 completions even jumps of .05 are found. |
# | `headline = 5` | Texts without a fork seem to fork: survival multiplies sampling noise. |
# | `questions = 2` | After `make llm`: a language model's answers, in half an hour. |

# %% [markdown]
# ## Exercises
#
# **1.** How many completions keep two histograms of an even question less than .05 apart on average, by the normal law $1/\sqrt{\pi S}$?

# %%
completions = Exercise(
    "completions",
    solution=int(np.ceil(1 / (np.pi * 0.05**2))),
    tolerance=0.5,
    hint="Solve 1 / sqrt(pi S) = .05 for S, and round up.",
)
answer = ...  # a whole number
completions.check(answer)

# %% tags=["solution", "hide-cell"]
completions.check(128)
even = torch.tensor([0.5, 0.5], dtype=torch.float64)
assert theory.expected_tv(even, 128) <= 0.05 < theory.expected_tv(even, 127)

# %% [markdown]
# **2.** A token was written with probability $p$. How much can it have changed the outcome, in total variation?

# %%
bound = Exercise(
    "bound", solution=lambda p: 1 - p, cases=[(0.9,), (0.5,), (1.0,)], hint="Look at I2."
)
answer = ...  # a function of p
bound.check(answer)

# %% tags=["solution", "hide-cell"]
bound.check(lambda p: 1 - p)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
