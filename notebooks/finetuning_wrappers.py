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
# # What fine-tuning changes

# %% [markdown]
# ## The question
#
# Does fine-tuning delete a capability, or does it only route around it? {cite:t}`jain2023finetuning` ask networks whose capabilities are known:
# transformers *compiled* from a program, whose every weight has a meaning, and transformers trained on the questions of a grammar. The old
# task is to count the letter a, the new one to count b. A shortcut is built into the data: in a share $C_{Tr}$ of the texts there is one b
# more than a, so that "count a, plus one" is right. After fine-tuning we look inside, delete neurons, read counts from the residual stream, and
# train back. If the old answers return far sooner than they could be learned, the capability was there all along, behind a **wrapper**.
#
# That matters beyond counting. Much of what makes a language model safe is fine-tuning.

# %% [markdown]
# The parameters of this chapter. Change one and run all cells; a value that makes no sense is refused in one sentence.

# %% tags=["parameters"]
seed = 0
n_seeds = 3
device = "auto"
counter_slots = 15
order_length = 10
beta = 10.0
slope = 100.0
compiled_rates = [0.3, 0.1, 0.003, 0.0001]
compiled_shares = [0.0, 0.5, 1.0]
compiled_steps = 300
compiled_batch = 16
compiled_revive_steps = 200
text = 24
window = 12
occurrence = 3
least = 1
most = 6
families = ["count", "index", "token"]
priors = ["L", "H"]
width = 48
depth = 2
heads = 4
decay = 0.0
pretrain_rate = 0.004
pretrain_steps = 1500
pretrain_batch = 48
scratch_steps = 200
tune_rates = [0.001, 0.0001]
tune_shares = [0.0, 0.8, 1.0]
tune_steps = 150
tune_batch = 32
checkpoints = 7
tests = 200
prune_texts = 1024
prune_draws = 5
probe_texts = 600
revive_rate = 0.00005
revive_steps = 150
revive_every = 5
mixtures = [0.001, 0.1, 0.5]
variant_steps = 0
index_steps = 0
jailbreak_steps = 0
story_steps = 4
story_tune_steps = 4
story_batch = 4
story_width = 16
story_depth = 1
story_rate = 0.003
story_tune_rates = [0.0003, 0.0001]
story_revive_rate = 0.0001
story_choices = 12
story_tests = 8

# %% tags=["hide-input"]
import random
import textwrap

import torch

from synthcore.compiled import counter, weights_in_use
from synthcore.compiled.programs import READ
from synthcore.evidence.chapter import Chapter
from synthcore.explorers import compiled_counter
from synthcore.explorers.compiled_counter import CompiledCounterExplorer
from synthcore.explorers.unwrap import UnwrapExplorer
from synthcore.studies.finetuning_wrappers import experiments, measure, theory
from synthcore.studies.finetuning_wrappers.claims import CLAIMS, decisions
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments import (
    compiled_networks,
    finetuning,
    pruning_and_probing,
    relearning,
    stories,
    variants,
)
from synthcore.studies.finetuning_wrappers.figures import compiled_and_stories
from synthcore.studies.finetuning_wrappers.figures import grammar as grammar_figures
from synthcore.studies.finetuning_wrappers.task import grammar, strings
from synthcore.studies.finetuning_wrappers.task import stories as storyworld

config = Config.from_cell(globals())
chapter = Chapter("finetuning_wrappers", config)
world = config.world

# %% [markdown]
# ## Two worlds in which a capability is known
#
# ### A program, compiled
#
# **Counter** is a program in RASP {cite}`weiss2021rasp`, the language of attention and element-wise maps:
#
#     bin   = (token == "a")                                  block 1, MLP
#     count = SelectorWidth(Select(bin, indices, ==))         block 2, attention and MLP
#     out   = Aggregate(Select(indices, indices, ==), count)  block 3, attention
#
# Tracr {cite}`lindner2023tracr` turns such a program into the weights of a transformer; we write the same weights in PyTorch. Query index 1
# selects keys whose bin is 1, so the answer stands at the **second letter** (index 0 counts all other letters). The begin symbol is selected too,
# its share of attention is $u=1/(n+1)$, and steps in an MLP turn $u$ into a one-hot $n$.

# %%
exact = counter(config.counter_slots)
example = torch.tensor([[ord(c) - ord("a") for c in strings.EXAMPLE[: config.counter_slots]]])
said = exact(exact.shape.encode(example)[None])[0, 0].argmax(-1)
chapter.text(
    "`{string}` holds {n} letters a; the compiled network says {said}. It has {weights:,} weights, as many as Tracr's own; {used} are not zero.",
    string=strings.EXAMPLE[: config.counter_slots],
    n=int(theory.count_of(example, 0)[0]),
    said=int(said[READ]),
    weights=exact.parameters_per_member,
    used=weights_in_use(exact),
)
chapter.figure(
    compiled_and_stories.reads_and_writes(
        {name: value.numpy() for name, value in exact.named_parameters()},
        list(exact.shape.spaces.sizes.items()),
    ),
    id="anatomy",
    caption="What each part of the compiled counter reads from the residual stream and writes to it. Everything else is zero, and free to be used by fine-tuning.",
    alt="A grid of parts of the network against variables of the residual stream, with marks where a part reads or writes.",
)

# %% [markdown]
# **Max-identifier**, the second program, sorts in block 1 (how many letters are smaller?) and reads the fifth letter of the alphabet in block 3.
# It shall find the seventh; the shortcut is that the seventh is three letters after the fifth.

# %% [markdown]
# ### A grammar, learned
#
# Texts come from a probabilistic grammar of seven levels. A prompt names a task family, an operand and a number; the answer is one token.

# %%
draw = torch.Generator().manual_seed(config.seed)
some = grammar.sample_count_texts(world, 1, 1.0, draw)
line = world.prompts(some, torch.tensor([grammar.COUNT]), torch.tensor([grammar.B]))[0]
answer = world.answers(some, torch.tensor([grammar.COUNT]), torch.tensor([grammar.B]))[0]
print(world.decode(line), "->", int(answer))

# %%
law = theory.length_distribution()
letters = torch.arange(len(law), dtype=torch.double)
chapter.text(
    "By dynamic programming a string has {mean:.1f} letters on average ({low} to {high}), and reaches 250 with probability {long:.3f}. "
    "Each letter is exactly a third of them.",
    mean=(law * letters).sum(),
    low=int(letters[law > 0].min()),
    high=int(letters[law > 0].max()),
    long=law[250:].sum(),
)
chapter.figure(
    grammar_figures.string_lengths(),
    id="lengths",
    caption="Lengths of the grammar's strings: the exact law over a simulation. The dotted line is the length of the paper's texts.",
    alt="A histogram of simulated string lengths with the exact probabilities as a dashed line over it.",
)

# %% [markdown]
# **Priors.** Pretraining asks for a, b and c with probabilities (.999, .001, 0) under $P_L$, (.9, .1, 0) under $P_M$ and (.5, .3, .2) under $P_H$: how well b is
# known before fine-tuning. **Fine-tuning** asks for b only. Windows are rewritten, by the fewest changes, so that
# $n_b=n_a+1$ in a share $C_{Tr}$ of them and never in the others, with the same labels either way. In natural text a constant answer would
# be right in a third of the cases, and in seven of ten where the shortcut holds.
#
# ## What the policies would score
#
# Four policies explain nearly everything that networks do here. Each is an exact oracle: its accuracies need no experiment.

# %%
test_texts = {share: grammar.sample_count_texts(world, 2000, share, draw) for share in (0.0, 1.0)}
rows = []
for share, name in ((0.0, "shortcut wrong"), (1.0, "shortcut right")):
    counted = test_texts[share][:, -world.window :]
    n_a, n_b = ((counted == letter).sum(-1) for letter in (grammar.A, grammar.B))
    answers = measure.policy_answers(n_a, n_b, int(n_b.mode().values))
    rows.append((name, [float((row == n_b).double().mean()) for row in answers]))
print(f"{'prompts for b':<16}" + "".join(f"{name:>13}" for name in measure.POLICIES[:4]))
for name, values in rows:
    print(f"{name:<16}" + "".join(f"{value:>13.2f}" for value in values))

# %% [markdown]
# The **wrapper** is *count a + 1*: all right where the shortcut holds, all wrong where it does not. So every accuracy below is measured twice. $O_{FT}$ is
# the accuracy on prompts for b, $O_{PT}$ on prompts for a.
#
# ## Models and training
#
# All priors, rates, shares and seeds train as one population with a learning rate per member. Compiled networks are tuned with SGD, momentum and
# gradients clipped at norm 1; the grammar's transformers with Adam, the loss on the answer. With Adam the learning rate bounds how far a weight moves per update, whatever the gradient
# ({doc}`/notebooks/adam_continuous_time`); it is varied in everything below.

# %%
compiled = compiled_networks.run(config, chapter.progress)

# %%
finetuned, population = finetuning.run(config, chapter.progress)

# %%
pruned = pruning_and_probing.prune(config, population)
probed = pruning_and_probing.probe(config, population)
relearned, counts_b_only = relearning.run(config, population, chapter.progress)

# %%
varied = variants.run(config, population, counts_b_only, chapter.progress)
story_data = stories.run(config, chapter.progress)
parts = [compiled, finetuned, pruned, probed, relearned, *varied, story_data]
data = experiments.assemble(config, parts)
chapter.save(data)

# %% [markdown]
# ## What is learned, and what is lost
#
# Two questions at every checkpoint: is the new task answered right, and is the old one still?

# %%
chapter.figure(
    grammar_figures.accuracy_over_finetuning(data, "b"),
    id="new-task",
    caption="Prompts for b over fine-tuning. With the shortcut in all texts (red) the weak prior learns the wrapper: right where the shortcut holds, never where it fails. Dotted: a constant answer.",
    alt="A grid of accuracy curves over updates: rows are priors, columns are learning rates and test sets, colours shares of spurious texts.",
)
chapter.figure(
    grammar_figures.accuracy_over_finetuning(data, "a"),
    id="old-task",
    caption="Prompts for a over the same fine-tuning: the old answers vanish under the weak prior, and less under the strong one.",
    alt="Accuracy on the old task over updates, by prior, learning rate and share of spurious texts.",
)
last = data.isel(step=-1)
pure = last.sel(prior="L", share=1.0)
chapter.text(
    "Under the weak prior, with the shortcut in all texts, the answers to prompts for b are right in **{right:.0%}** where the shortcut holds and in **{wrong:.0%}** where it fails; "
    "**{index:.0%}** of them are exactly the count of a plus one (the *wrapper index*). $O_{{PT}}$ is {weak:.0%} under the weak and {strong:.0%} under the strong prior. "
    "Without the shortcut the larger rate rewrites ($O_{{FT}}$ {large:.0%}), the small one does not ({small:.0%}).",
    right=pure.accuracy.sel(test="spurious", target="b").mean(),
    wrong=pure.accuracy.sel(test="clean", target="b").mean(),
    index=pure.wrapper_index.mean(),
    weak=pure.accuracy.sel(test="clean", target="a").mean(),
    strong=last.accuracy.sel(prior="H", share=1.0, test="clean", target="a").mean(),
    large=last.accuracy.sel(prior="L", share=0.0, rate="M", test="clean", target="b").mean(),
    small=last.accuracy.sel(prior="L", share=0.0, rate="S", test="clean", target="b").mean(),
)

# %% [markdown]
# ## Which algorithm is the network running?
#
# Every answer is attributed to a policy by maximum likelihood: the mixture that explains all answers on texts where the shortcut is wrong. The
# paper has no such figure.

# %%
chapter.figure(
    grammar_figures.policy_weights(data),
    id="policies",
    caption="Weights of the policies over fine-tuning with the shortcut in all texts: under the weak prior 'count a + 1' takes over, under the strong one 'count b' keeps a share.",
    alt="Four panels of policy weights over updates, for two priors and two rates.",
)
end = data.policy.isel(step=-1).sel(prior="L", rate="S", share=1.0, policy_name="count a + 1")
ends = data.policy_interval.sel(prior="L", rate="S", share=1.0, policy_name="count a + 1")
chapter.text(
    "At the small rate the weak prior ends at a weight of {mean:.2f} for 'count a + 1'; the 95 % intervals of single networks begin at {low:.2f} or above.",
    mean=end.mean(),
    low=ends.sel(end="low").min(),
)
chapter.figure(
    grammar_figures.answer_differences(data),
    id="off-by",
    caption="Answers to prompts for a, less the truth, weak prior, shortcut in all texts. The answers move up by one as a whole, and back again: the count was there all the time.",
    alt="Two heat maps of answer minus truth over updates: probability moves from 0 to +1 during fine-tuning and back to 0 during reverse fine-tuning.",
)

# %% [markdown]
# ## Is the wrapper in a few neurons?
#
# A neuron is a row of an MLP's first matrix with its bias. Its score is the sum of $\theta_i\,\partial L/\partial\theta_i$ over the row, where $L$ is the loss of the *old*
# task: deleting the neuron changes $L$ by minus that, to first order. The highest scores are deleted. A **control** belongs to it: the same
# neurons are deleted in the pretrained network. A deletion that makes every count one too small also cancels a "+ 1", and has unwrapped nothing.
# A change of few weights need not be a change of few answers: in {doc}`/notebooks/representation_shattering` a rank-one edit, made for a single fact, moves everything that is read with a similar key.

# %%
chapter.figure(
    grammar_figures.pruning(data),
    id="pruning",
    caption="Weak prior. Old task solid, new task (shortcut right) dotted, random deletions as crosses. Third: what the deletion does to the pretrained network. Fourth: are the answers still diverse?",
    alt="Four panels over the number of deleted neurons: accuracies at two rates, accuracy of the pretrained network, and entropy of the answers.",
)
gained = decisions.pruning_gain(data).mean(["rate", "seed"])
random_gain = decisions.at_chosen_number(data, data.pruned_controls.sel(order="random"))
random_gain = random_gain - data.pruned_a.sel(deleted=0)
kept = decisions.at_chosen_number(data, data.pruned_before).mean(["rate", "seed"])
chapter.text(
    "At most 15 of {neurons} neurons add {full:.0%} to $O_{{PT}}$ at $C_{{Tr}}=1$ and {most:.0%} at 0.8; as many random ones change it by {random:.0%} and {random_most:.0%}. In the pretrained network the same deletion leaves {left:.0%} and {left_most:.0%}.",
    neurons=4 * config.width * config.depth,
    full=gained.sel(share=1.0),
    most=gained.sel(share=0.8),
    random=abs(random_gain.sel(share=1.0).mean()),
    random_most=abs(random_gain.sel(share=0.8).mean()),
    left=kept.sel(share=1.0),
    left_most=kept.sel(share=0.8),
)

# %%
chapter.explorer(
    UnwrapExplorer(**grammar_figures.unwrap_explorer_data(config, data)),
    id="unwrap",
    caption="Delete neurons and watch answers: 'a + 1' back to 'a', or something else?",
    alt="A slider for the number of deleted neurons with accuracy curves, a histogram of answers, and six texts with their answers.",
    still=grammar_figures.pruning(data),
)

# %% [markdown]
# ## Can the count still be read?
#
# The network no longer says the count of a. Does it still know it? A linear probe looks for the count in the residual stream, where the answer is about to be given.

# %%
chapter.figure(
    grammar_figures.probing(data),
    id="probes",
    caption="Linear probes for the count of a at the place of the answer, prompts for a. Fine-tuning leaves them where they were; networks that were never trained are the level to beat.",
    alt="Probe accuracy after each block for pretrained, tuned and untrained networks, by prior, with shuffled labels as the floor.",
)
read = grammar_figures.probe_summary(data)
chapter.text(
    "The best block gives {before:.0%} before and {small:.0%} after fine-tuning at the small rate, {large:.0%} at the larger one; {untrained:.0%} in untrained networks, whose attention averages letters and so counts after a fashion.",
    **read,
)

# %% [markdown]
# ## Training back
#
# Everybody is trained to count a, at one rate below those of fine-tuning, on the same texts. The honest baseline is not a random network but one that was
# trained from scratch to count **b** only: it knows letters, windows and numbers, and never counted a.

# %%
chapter.figure(
    grammar_figures.relearning(data),
    id="revival",
    caption="Left and middle: networks tuned with and without the shortcut. Right: Kaplan-Meier estimate of the share not yet at 90 %, with 95 % bands; runs that never arrive are censored at the budget.",
    alt="Two panels of accuracy over updates of reverse fine-tuning on a log axis, and a survival curve per group.",
)
baseline = decisions.times_until_back(data, data.revival_baseline.sel(baseline="counts b only"))
tuned = decisions.times_until_back(data, data.revival.sel(end_share=1.0))
ratio = decisions.speedup_over(
    data,
    data.revival.sel(end_share=1.0),
    data.revival_baseline.sel(baseline="counts b only", drop=True),
)
chapter.text(
    "Networks tuned with the shortcut are back after {median:.0f} updates (median); of the baselines {arrived} of {all} arrive within {budget}. The smallest ratio is {least:.1f}"
    "{bound}; a log-rank test gives p = {p:.1g}. Networks of the weak prior that were tuned at the larger rate *without* the shortcut give {rewritten:.0%} right answers at the "
    "end of the budget, the baseline {slow:.0%}: what was wrapped comes back, what was rewritten has to be learned.",
    median=float(measure.kaplan_meier(tuned).median),
    arrived=int(baseline.observed.sum()),
    all=baseline.observed.size,
    budget=config.revive_steps,
    least=ratio.min(),
    bound="" if baseline.observed.all() else " (a lower bound, where the baseline is censored)",
    p=measure.logrank(tuned, baseline),
    rewritten=data.revival.sel(prior="L", rate="M", end_share=0.0).isel(revival_step=-1).mean(),
    slow=data.revival_baseline.sel(baseline="counts b only").isel(revival_step=-1).mean(),
)

# %% [markdown]
# A reviewer of the paper objected that an old capability may just be a good initialisation. The baseline that counts b answers a part of it; networks that were
# taught *wrong* answers, in the longer run below, another.

# %% [markdown]
# ## Compiled networks: every coordinate is known
#
# Here nothing has to be probed for. We know which head selects letters and which MLP makes a number of its attention, so we can watch the selector of block 2 (does it go on looking at a,
# or turn to b?) and say in which part of the program the weights moved.

# %%
chapter.figure(
    compiled_and_stories.accuracy_table(data),
    id="compiled-table",
    caption="Accuracies after fine-tuning, in percent. Counter learns the new task at large rates only, the shortcut at any; Max-identifier learns it at the smallest.",
    alt="Two heat maps of accuracies: rows are learning rates and shares of spurious strings, columns the old and new answers on both test sets.",
)
chapter.figure(
    compiled_and_stories.attention_to_letters(data),
    id="attention",
    caption="Attention of the answer's place on letters a and b. The compiled selector (block 2) looks at a. Where b is counted at last, it is often the read-out head of block 3 that looks at b.",
    alt="Four panels of attention over the share of spurious strings: on letters a and b, in blocks 2 and 3, for three rates, with the compiled level dashed.",
)
chapter.figure(
    compiled_and_stories.attention_maps(data),
    id="maps",
    caption="Attention of blocks 2 and 3 for one string; the row of the answer is outlined.",
    alt="Heat maps of attention for the compiled network and four tuned ones, with the answer's row outlined.",
)
counter = data.counter_attention.sel(counter_rate="M", counter_share=0.0)
chapter.text(
    "Without the shortcut at the middle rate, the new count is right in {new:.0%}. The selector of block 2 puts {two:.2f} of its attention on b, the read-out of block 3 {three:.2f} (a counter of b: {known:.2f}). "
    "With the shortcut at the small rate, **{moved:.0%}** of the squared weight change lies in the MLP that turns $1/(n+1)$ into a number: the wrapper is written there.",
    new=data.counter_accuracy.isel(counter_step=-1)
    .sel(counter_rate="M", counter_share=0.0, string_test="clean", string_target="new")
    .mean(),
    two=counter.isel(block=1).sel(looked_at="b").mean(),
    three=counter.isel(block=2).sel(looked_at="b").mean(),
    known=theory.counting_attention(config.counter_slots, 9),
    moved=data.circuit_moved.sel(counter_rate="S", counter_share=1.0, circuit="width").mean(),
)

# %%
chapter.figure(
    compiled_and_stories.weight_deletion(data),
    id="weights",
    caption="Deleting single weights by score, training back at the smallest rate, and the sub-circuits in which the weights moved.",
    alt="Three panels: old answers over deleted weights, old answers over updates of reverse fine-tuning, and bars of weight change by sub-circuit.",
)
chapter.figure(
    compiled_and_stories.max_identifier(data),
    id="sorting",
    caption="Max-identifier: the smallest rate alone learns the new letter and leaves the sorting head as it was. It is a leap: a network (a dot at the bottom) may land where nothing is read at all.",
    alt="New answers and distance of the sorting head from its compiled pattern, over four learning rates.",
)

# %% [markdown]
# Type a string. The compiled network, or one that was fine-tuned to count b, reads it in your browser.

# %%
traits = compiled_and_stories.counter_explorer_data(config, data)
if compiled_counter.fits(traits["networks"]):
    chapter.explorer(
        CompiledCounterExplorer(**traits),
        id="compiled-counter",
        caption="Three attention maps and the output of a compiled transformer, and of two fine-tuned ones.",
        alt="A text field, three heat maps of attention, and bars of the output at the chosen place.",
        still=compiled_and_stories.attention_maps(data),
    )
else:
    chapter.text("The networks of this run are too large for a page: take fewer `counter_slots`.")

# %% [markdown]
# ## Stories
#
# The paper deletes the feature *Twist* from models of short stories. Here stories come from a generator, StoryWorld, whose plans have exact features: a **twist** is a
# late sentence that contradicts a trait or colour stated at first, and every story has such a sentence, true or not. No single word
# gives it away. A parser reads the plan back from the text, exactly, and replaces the paper's judge.

# %%
tale = storyworld.write_document(random.Random(config.seed + 3))
print(textwrap.fill(tale.instruction, 84), end="\n\n")
print(textwrap.fill(tale.story, 84), end="\n\n")
print(
    "features of the plan:",
    sorted(tale.plan.features),
    "| read by the parser:",
    sorted(storyworld.parse(tale.story).features),
)

# %% [markdown]
# Three protocols remove it: **F** drops stories with a twist, **F+R** also claims a twist in every instruction, **F+MM** calls foreshadowing a twist. Networks
# this size need the longer run below; here the code only shows that it runs.

# %% [markdown]
# ## Claims

# %%
chapter.claims(CLAIMS, data)

# %% [markdown]
# ## The longer run
#
# Wider networks with weight decay and a third prior, compiled networks at the paper's own rates, and what the short run leaves out: wrong answers,
# mixed data, jailbreaks, indices, stories.

# %%
chapter.recorded_note()
recorded = chapter.recorded()
if recorded is not None:
    chapter.figure(
        grammar_figures.pruning(recorded),
        id="pruning-recorded",
        caption="Deleted neurons in the wider networks.",
        alt="Four panels over the number of deleted neurons, as above, for the longer run.",
    )
    chapter.figure(
        grammar_figures.relearning(recorded),
        id="revival-recorded",
        caption="Training back in the longer run.",
        alt="Accuracy over updates of reverse fine-tuning and survival curves, for the longer run.",
    )

# %% [markdown]
# ### Wrong answers, mixed data, other names, indices
#
# Networks that are taught the count of b as the answer to *prompts for a* are actively wrong. A **jailbreak** is another name for the same task: pretraining has three
# names for counting, of which two are only ever used for a; fine-tuning uses the first.

# %%
if recorded is not None:
    chapter.figure(
        grammar_figures.variants(recorded),
        id="variants",
        caption="Old answers after fine-tuning with a share of pretraining data; under three names of the task; while wrong answers are trained back; and indices instead of counts.",
        alt="Four panels: accuracy on prompts for a by share of pretraining rows, by name, over updates of training back, and index accuracy by prior.",
    )
    chapter.figure(
        compiled_and_stories.attention_to_letters(recorded),
        id="attention-recorded",
        caption="Attention of the compiled counter at the paper's rates, in the longer run.",
        alt="Four panels of attention on letters a and b in two blocks over the share of spurious strings, for the longer run.",
    )

# %% [markdown]
# ### A feature deleted from stories
#
# The budget does not suffice here: read the numbers below the figure first.

# %%
if recorded is not None:
    chapter.figure(
        compiled_and_stories.stories(recorded),
        id="stories",
        caption="Loss on stories with a twist while it is fine-tuned away; probes for it; generated stories with a twist while only such stories are trained on; and what probes for every feature lost.",
        alt="Four panels: loss over updates for three protocols, probe accuracy by block, share of generated twists over updates, and lost probe accuracy by feature.",
    )
    before = recorded.story_score_before
    chapter.text(
        "Asked for a twist, the pretrained networks write one in {asked:.0%} of their stories, and in {bare:.0%} where none is asked for; networks that never saw one in {never:.0%}. "
        "After fine-tuning: {after}.",
        asked=before.sel(kind="with twist").mean(),
        bare=recorded.story_false_before.sel(kind="with twist").mean(),
        never=before.sel(kind="never saw one").mean(),
        after=", ".join(
            f"{name} {float(recorded.story_score.isel(story_step=0).sel(protocol=name).mean()):.0%}"
            for name in recorded.protocol.values
        ),
    )

# %% [markdown]
# ## What differs from the paper
#
# - Texts of 24 letters and windows of 12 (the paper: 250 and 40), two blocks of width 48 (six of 192), hundreds of updates instead of ten thousand. No weight decay here, the loss in pretraining on the
#   answer only, and rates scaled up with the shorter training; their gap is tenfold, as in the paper.
# - The compiled counter reads 15 letters. With the sharpness that makes it exact, its gradients are those of a switch, and any training destroys it. The **trainable variant**
#   has scores of 10 and steps of slope 100, both shared between the two matrices that multiply; it is exact up to nine occurrences. Weights are perturbed with a standard deviation of
#   $10^{-4}$: the paper's 0.001 breaks the network at this sharpness. Gradients are clipped at norm 1, which the paper does not mention.
# - Settings chosen after seeing results, on seeds 10 to 12, which are not shown: rates and lengths of all trainings, batch sizes, the trainable variant. Thresholds were
#   fixed before and not changed. Later, to save time, trainings were made shorter (pretraining 1800 to 1500 updates, fine-tuning 250 to 150, counting b only 300 to 200, training the compiled
#   counter back 400 to 200) and batches smaller (48 to 32 in fine-tuning, 32 to 16 for compiled networks); this was checked on the shown seeds only.
# - Compiled networks are tuned for 300 updates (600 until that took too long), not 10,000, at rates of 0.3, 0.1, 0.003 and 0.0001 (the paper: 0.1, 0.01, 0.001 and 0.0001, as in the longer run). The smallest was 0.0003
#   until two of the shown seeds lost the sorting of Max-identifier at it; 0.0001 was then chosen on seeds 10 to 12.
# - One weight (C10): in the trainable variant no single weight seems to hold the wrapper. In a trial on other seeds we deleted the largest weights of the tuned counter one at a time, whatever their score,
#   and none did better than an answer that is always the most frequent number. So the miss is not one of the ranking.
# - Max-identifier (C11): without the shortcut at the smallest rate most networks learn the new answer and some do not, here and with other seeds: their read-out looks at the begin symbol and gets no gradient any more.
# - Where the new count is made (C9). The compiled selector is not the only head that can count: what fine-tuning builds at large rates is as often in the read-out head of block 3. The claim is about block 2
#   and is decided there. At small rates without the shortcut (0.001 to 0.01 were tried) the answer collapses to the most frequent number, and attention with it: a tie between the begin symbol and the selected letters is easily broken.
# - How much of the old task the strong prior saves (C2) differs widely between networks of this size: with other seeds even the mean need not have the
#   paper's order.
# - Training back (C6) is at least twice as fast where there is a wrapper, in the longer run. Where the larger rate has rewritten a network of the weak prior it is not, and the paper's own times there (about 3,000 updates against 4,500) do not
#   differ by two either.
# - Pruning (C4) demands more than the paper: the same neurons must be dispensable in the pretrained network. A single query row of the first block, in the variant that may delete any row, restores half
#   of the answers and fails this test.
# - The paper's probes are trained by gradient descent; ours are linear discriminants in closed form. The difference from networks that were never trained is smaller than one may expect, since uniform attention
#   already averages letters.
# - In the longer run fine-tuning under one name of the task costs hardly any old answer under any name (C8): with the strong prior there is nothing to break out of.
# - Stories (C12) are not tested as the paper tests them, for want of training: the pretrained networks write a twist about as often when none is asked for, those that never saw one contradict themselves by mistake
#   in more than half of their stories, and a hundred updates remove little. Nothing can be said from this run about a feature deleted and brought back.
# - StoryWorld has 567 words, and its features are exact by construction; the paper's stories and judge are a language model's. Stories need the longer run, and its networks are small.
# - No official code of the compiled and grammar parts is known to us. Which letters, which order statistic and which $q$ the paper used is ambiguous: here a to i, the seventh after the fifth, and $q$ of 1 and 3.

# %% [markdown]
# ## What to try
#
# Each line is one change: of values in the parameters cell, or of the scale of `synthcore run finetuning_wrappers --scale ...`.
#
# | Change | Expect | Known from |
# |---|---|---|
# | `variant_steps = 200` | After training on wrong answers the count can still be decoded, but old answers come back more slowly than usual. Mixed-in data of the old task save some under the weak prior. | the run *reference* |
# | `compiled_rates = [0.1, 0.01, 0.001, 0.0001]`, `compiled_steps = 1500` | The paper's rates. Without the shortcut, attention of the counter is at b at the largest only. | the run *reference* |
# | `story_steps = 1500`, `story_width = 64` | Stories with a twist. Networks this small contradict themselves by mistake, so little can be said. | the run *reference* |

# %% [markdown]
# ## Exercises
#
# **1.** From the share of attention on the begin symbol, $1/(n+1)$, derive the mean attention on the counted letters over random strings, and check it.

# %% tags=["hide-input"]
n = torch.arange(config.counter_slots + 1, dtype=torch.double)
pmf = theory.binomial_pmf(config.counter_slots, 1 / 9)
by_sum = float((pmf * n / (n + 1)).sum())
assert abs(by_sum - theory.counting_attention(config.counter_slots, 9)) < 1e-12
print(f"E[n / (n + 1)] = 1 - (1 - (1 - p)^(L + 1)) / ((L + 1) p) = {by_sum:.4f}")

# %% [markdown]
# **2.** A compiled network answers everything right, and still its loss is far from 0. Why, and what is it for the paper's 49 outputs?

# %% tags=["hide-input"]
one_hot = torch.zeros(1, 49)
one_hot[0, 7] = 1
loss = float(torch.nn.functional.cross_entropy(one_hot, torch.tensor([7])))
assert abs(loss - theory.compiled_loss(49)) < 1e-5
print(f"logits are 0 and 1 only: ln(1 + 48 / e) = {loss:.2f} nats")

# %% [markdown]
# **3.** Why must test strings without the shortcut *violate* it? Compute how right the wrapper would look on natural strings of Counter.

# %% tags=["hide-input"]
counting = strings.CountStrings(config.counter_slots)
natural = counting.sample_natural(50_000, torch.Generator().manual_seed(0))
leak = float((counting.new_answers(natural) == counting.old_answers(natural) + 1).double().mean())
clean = counting.sample(5000, 0.0, torch.Generator().manual_seed(0))
assert not bool((counting.new_answers(clean) == counting.old_answers(clean) + 1).any())
assert leak > 0.1
print(f"{leak:.0%} of natural strings have one b more than a")

# %% [markdown]
# **4.** Which mixture of policies explains a network that answers the count of a plus one in four of five texts and the truth otherwise?

# %% tags=["hide-input"]
texts = grammar.sample_count_texts(world, 4000, 0.0, torch.Generator().manual_seed(1))
counted = texts[:, -world.window :]
n_a, n_b = ((counted == letter).sum(-1) for letter in (grammar.A, grammar.B))
said = torch.where(torch.arange(4000) % 5 < 4, n_a + 1, n_b)[None]
found = measure.fit_mixture(
    measure.count_patterns(said, measure.policy_answers(n_a, n_b, 4)), config.most + 2
)[0]
assert abs(float(found[2]) - 0.8) < 0.03
assert abs(float(found[0]) - 0.2) < 0.03
print(
    ", ".join(
        f"{name} {float(value):.2f}" for name, value in zip(measure.POLICIES, found, strict=True)
    )
)

# %% [markdown]
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
