"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from typing import Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.percolation.model import LineLoss
from synthcore.studies.percolation.task.grammar import GRAMMARS, Grammar
from synthcore.studies.percolation.task.vocabulary import CIRCULANT_VALUES, Classes, Vocabulary

FIRST = ("seed", "n_seeds", "properties", "steps", "pair_seeds", "pair_properties")
"""What a reader turns first."""

# Which parameters the stages read.
LANGUAGE = (
    *("grammar", "edges", "classes", "entities", "properties", "density", "verbs", "adjectives"),
    *("longest", "shares", "loss", "width", "depth", "heads", "initial_std", "learning_rate"),
    *("warmup", "batch", "steps", "checkpoints", "first_checkpoint", "test_lines", "samples"),
    "bfloat16",
)
TEXT = ("grammar", "edges", "classes", "entities", "properties", "density", "verbs", "adjectives",
        "longest")  # fmt: skip
PAIRS = ("pair_entities", "pair_properties", "pair_classes", "pair_batch", "density")

Variant = Literal[
    "double batch",
    "spare tokens",
    "fragments",
    "fragments, no verbs",
    "fragments, one subject",
    "shares of the text",
    "edges of the code",
    "words of the code",
    "loss of the code",
]
World = Literal["density", "fragments", "noise", "classes", "clock"]
FRAGMENTS = 4
"""Into how many parts the variants of that name cut every class."""


class Config(StudyConfig):
    """The notebook's parameters. Every seed has a constraint graph and a network of its own."""

    grammar: Literal["plain", "paper", "code"] = Field(
        description="optional words before values: none, as in the paper, as in its code"
    )
    edges: Literal["random", "circulant"] = Field(
        description="constraint graph: random (text), or rolled patterns (released code)"
    )
    classes: int = Field(ge=2, le=20, multiple_of=2, description="|C|, classes of the language")
    entities: tuple[int, ...] = Field(min_length=1, description="|E|, one language each; rising")
    properties: tuple[int, ...] = Field(min_length=1, description="|K|, one each; rising")
    density: float = Field(
        gt=0, lt=1, description="p, share of same-class pairs that are edges: .15 (text), .1 (code)"
    )
    verbs: int = Field(ge=1, le=1000, description="verbs, in |C| / 2 groups")
    adjectives: int = Field(ge=0, le=100, description="optional words of each of three kinds")
    longest: int = Field(ge=5, le=200, description="longest sentence in tokens, with its end")
    shares: tuple[float, float, float] = Field(
        description="free generation, unscrambling, conditional generation: parts of a batch, "
        "80/10/10 (text) or 20/40/40 (code)"
    )
    loss: LineLoss = Field(
        description="mean over tokens, or as in the released code the sum over a line, divided by "
        "the length to which lines are padded"
    )
    width: int = Field(ge=8, le=512, description="width of the residual stream")
    depth: int = Field(ge=1, le=8, description="transformer blocks")
    heads: int = Field(ge=1, le=16, description="attention heads per block")
    initial_std: float = Field(gt=0, le=1, description="spread of initial weights")
    learning_rate: float = Field(gt=0, le=1, description="AdamW's, constant after the warm-up")
    warmup: int = Field(ge=1, description="updates of linear warm-up")
    batch: int = Field(ge=8, le=4096, description="lines per update and member")
    steps: int = Field(ge=8, description="updates")
    checkpoints: int = Field(ge=6, le=1000, description="measurements, evenly spaced in log steps")
    first_checkpoint: int = Field(ge=1, description="step of the first measurement")
    test_lines: int = Field(ge=4, le=10_000, description="test lines of every kind")
    samples: int = Field(ge=8, le=10_000, description="sentences sampled per measurement")
    bfloat16: bool = Field(description="train in bfloat16, on CUDA only")
    variants: tuple[Variant, ...] = Field(
        description="the smallest language with one thing changed, one training each"
    )
    variant_steps: int = Field(ge=8, description="their updates")
    pair_seeds: int = Field(ge=1, le=64, description="pair learners per condition")
    pair_entities: int = Field(ge=2, le=2000, description="|E| of the pair learner")
    pair_properties: tuple[int, ...] = Field(min_length=2, description="its |K|, rising")
    pair_classes: int = Field(ge=1, le=20, description="its |C|")
    pair_batch: int = Field(ge=1, le=4096, description="pairs per update")
    pair_steps: int = Field(ge=20, description="its updates")
    worlds: tuple[World, ...] = Field(
        description="pair learners in worlds with one thing changed: which kinds of change"
    )
    world_steps: int = Field(ge=20, description="their updates")
    growths: int = Field(ge=1, le=1000, description="simulated graphs per size and seed")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        for name in ("entities", "properties", "pair_properties"):
            sizes = getattr(self, name)
            if list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name} must rise")
        for entities in self.entities:
            for properties in self.properties:
                self.vocabulary(entities, properties)
        for properties in self.pair_properties:
            Classes(self.pair_classes, self.pair_entities, properties)
        cut = any("fragments" in name for name in self.variants)
        circulant = self.edges == "circulant" or "edges of the code" in self.variants
        whole = all(k // self.classes % CIRCULANT_VALUES == 0 for k in self.properties)
        rules = [
            (
                min(self.shares) >= 0 and self.shares[0] > 0,
                "shares must not be negative, and the first must be positive",
            ),
            (
                (self.grammar != "plain") == (self.adjectives > 0),
                "adjectives must be 0 for the plain grammar, and only for it",
            ),
            (self.first_checkpoint < self.steps, "first_checkpoint must be below steps"),
            (self.warmup < self.steps, "warmup must be below steps"),
            (
                not self.variants or self.warmup < self.variant_steps,
                "warmup must be below variant_steps",
            ),
            (self.width % self.heads == 0, "width must be a multiple of heads"),
            (
                not self.worlds or self.pair_entities % (FRAGMENTS * self.pair_classes) == 0,
                f"pair_entities must be a multiple of {FRAGMENTS} pair_classes for worlds",
            ),
            (
                not circulant or whole,
                f"circulant edges need properties / classes to be a multiple of {CIRCULANT_VALUES}",
            ),
            (
                not (cut or self.worlds) or self.density * FRAGMENTS <= 1,
                f"density leaves no room for {FRAGMENTS} fragments of a class",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        if cut:
            Classes(self.classes * FRAGMENTS, self.entities[0], self.properties[0])
        return self

    def vocabulary(self, entities: int, properties: int, spare: int = 0) -> Vocabulary:
        """The words of one language. Raises ValueError if sizes do not fit the classes."""
        classes = Classes(self.classes, entities, properties)
        return Vocabulary(classes, self.verbs, self.adjectives, spare)

    @property
    def syntax(self) -> Grammar:
        return GRAMMARS[self.grammar]

    @property
    def context(self) -> int:
        """Longest line: task, given words, <out>, sentence."""
        return 2 * self.longest + 2
