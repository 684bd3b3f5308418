"""The percolation study: sentences drawn by a table look-up, against a recursive NLTK sampler."""

import random
import statistics

import nltk

from benchmarks.measuring import Benchmark, seconds
from synthcore.studies.percolation.model import line_loss, transformer
from synthcore.studies.percolation.task.grammar import GRAMMARS, rules
from synthcore.studies.percolation.task.language import Draws, Language, LineSampler
from synthcore.studies.percolation.task.skeletons import draw_skeletons
from synthcore.studies.percolation.task.vocabulary import (
    Classes,
    ConstraintGraph,
    Vocabulary,
    random_edges,
)
from synthcore.training.optimizers import clip_members, population_adamw
from synthcore.training.seeding import seeded

PAPER = Vocabulary(Classes(10, 900, 18_000), verbs=100, adjectives=20)
BOOK = Vocabulary(Classes(4, 80, 640), verbs=8)
SENTENCES = 2000


class Recursive:
    """A straightforward sampler: expand the grammar symbol by symbol, then choose the words."""

    def __init__(self, words: Vocabulary, graph: ConstraintGraph) -> None:
        self.grammar = nltk.PCFG.fromstring(rules(GRAMMARS["paper"]))
        self.words, self.random = words, random.Random(0)
        self.neighbours = [row.nonzero()[:, 0].tolist() for row in graph.edges]

    def expand(self, symbol: object) -> list[str]:
        """Terminals below a symbol, productions drawn by their probabilities."""
        if isinstance(symbol, str):
            return [symbol]
        options = self.grammar.productions(lhs=symbol)
        chosen = self.random.choices(options, [option.prob() for option in options])[0]
        return [slot for part in chosen.rhs() for slot in self.expand(part)]

    def sentence(self) -> list[str]:
        """One sentence in words."""
        slots = self.expand(self.grammar.start())
        classes, half = self.words.classes, self.words.verb_groups
        size, group = classes.entities // classes.count, self.random.randrange(classes.count)
        relative = "verb" in slots
        group = group % half if relative else group
        subject, out = 0, []
        for slot in slots:
            if slot == "subject":
                subject = group * size + self.random.randrange(size)
                out.append(f"e{subject}")
            elif slot == "object":
                out.append(f"e{(group + half) * size + self.random.randrange(size)}")
            elif slot == "descriptor":
                out.append(f"d{self.random.choice(self.neighbours[subject])}")
            elif slot == "verb":
                per = self.words.verbs // half
                out.append(f"v{group * per + self.random.randrange(per)}")
            elif slot == "preposition":
                out.append(self.random.choices(("on", "in", "to"), (0.4, 0.3, 0.3))[0])
            elif slot == "link":
                out.append(self.random.choice(("is", "has")))
            elif slot == "conjunction":
                out.append(self.random.choice(("and", "or")))
            else:
                out.append(f"{slot}{self.random.randrange(20)}")
        return out


def language(words: Vocabulary, grammar: str, longest: int, members: int) -> Language:
    graphs = [random_edges(words.classes, 0.15, seeded(m)) for m in range(members)]
    return Language(words, graphs, draw_skeletons(GRAMMARS[grammar], 16_384, longest, seeded(0)))


def against_nltk() -> float:
    """Time per sentence, recursive sampler over ours, at the paper's sizes. Ours draws sentences of
    more than 34 tokens again, one in a hundred."""
    lang = language(PAPER, "paper", 34, 1)
    recursive = Recursive(PAPER, random_edges(PAPER.classes, 0.15, seeded(0)))
    draw = Draws([0], "benchmark")

    def theirs() -> None:
        for _ in range(SENTENCES):
            recursive.sentence()

    lang.sentences(SENTENCES, draw)
    ours = min(seconds(lambda: lang.sentences(SENTENCES, draw)) for _ in range(7))
    return min(seconds(theirs) for _ in range(3)) / ours


def share_of_a_step() -> float:
    """Time of drawing a batch of all tasks over that of the training step it is for, in percent:
    three networks of the book's size, batches of 64 lines."""
    lang = language(BOOK, "plain", 9, 3)
    sample = LineSampler(lang, (0.2, 0.4, 0.4), 64, [0, 1, 2])
    model = transformer(BOOK.size, 20, 64, 2, 2, 0.02, [0, 1, 2])
    optimizer = population_adamw(model, 3e-3)
    batch = sample(0)

    def step() -> None:
        optimizer.zero_grad()
        line_loss(model, batch).sum().backward()
        clip_members(model, 1.0)
        optimizer.step()

    step()
    pairs = [(seconds(lambda: sample(0)), seconds(step)) for _ in range(15)]
    return 100 * statistics.median(draw / train for draw, train in pairs)


BENCHMARKS = (
    Benchmark(
        "sentences-nltk",
        "a sentence of the paper's language, up to 34 tokens: recursive NLTK sampler / ours",
        "x",
        ">=",
        50,
        against_nltk,
    ),
    Benchmark(
        "sentences-step",
        "drawing a batch of all tasks, as a share of the training step",
        "%",
        "<=",
        10,
        share_of_a_step,
    ),
)
