"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from typing import Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.percolation.constraints import Classes
from synthcore.studies.percolation.grammar import GRAMMARS, Grammar
from synthcore.studies.percolation.networks import Recipe
from synthcore.studies.percolation.pairs import CIRCULANT_VALUES, PairTask
from synthcore.studies.percolation.vocabulary import Vocabulary

Variant = Literal[
    "double batch",
    "spare tokens",
    "fragments",
    "fragments, no verbs",
    "fragments, one subject",
]
FRAGMENTS = 4
"""Into how many parts the variants of that name cut every class."""


class Config(StudyConfig):
    """The notebook's parameters. Every seed has a constraint graph and a network of its own."""

    grammar: Literal["plain", "paper", "code"] = Field(
        description="optional words before values: none, as in the paper, as in its code"
    )
    edges: Literal["random", "circulant"] = Field(
        description="constraint graph: random, or rolled patterns as in the official code"
    )
    classes: int = Field(ge=2, le=20, multiple_of=2, description="|C|, classes of the language")
    entities: tuple[int, ...] = Field(min_length=1, description="|E|, one language each; rising")
    properties: tuple[int, ...] = Field(min_length=1, description="|K|, one each; rising")
    density: float = Field(gt=0, lt=1, description="p, share of same-class pairs that are edges")
    verbs: int = Field(ge=1, le=1000, description="verbs, in |C| / 2 groups")
    adjectives: int = Field(ge=0, le=100, description="optional words of each of three kinds")
    longest: int = Field(ge=5, le=200, description="longest sentence in tokens, with its end")
    shares: tuple[float, float, float] = Field(
        description="free generation, unscrambling, conditional generation: parts of a batch"
    )
    width: int = Field(ge=8, le=512, description="width of the residual stream")
    depth: int = Field(ge=1, le=8, description="transformer blocks")
    heads: int = Field(ge=1, le=16, description="attention heads per block")
    initial_std: float = Field(gt=0, le=1, description="spread of initial weights")
    learning_rate: float = Field(gt=0, le=1, description="AdamW's, constant after the warm-up")
    warmup: int = Field(ge=1, description="updates of linear warm-up")
    batch: int = Field(ge=8, le=4096, description="lines per update and member")
    steps: int = Field(ge=8, description="updates")
    checkpoints: int = Field(ge=4, le=100, description="measurements, evenly spaced in log steps")
    first_checkpoint: int = Field(ge=1, description="step of the first measurement")
    test_lines: int = Field(ge=4, le=10_000, description="test lines of every kind")
    samples: int = Field(ge=8, le=10_000, description="sentences sampled per measurement")
    bfloat16: bool = Field(description="train in bfloat16, on CUDA only")
    variants: tuple[Variant, ...] = Field(description="controls on the smallest language")
    variant_steps: int = Field(ge=8, description="their updates")
    pair_seeds: int = Field(ge=1, le=64, description="pair learners per condition")
    pair_entities: int = Field(ge=2, le=2000, description="|E| of the pair learner")
    pair_properties: tuple[int, ...] = Field(min_length=2, description="its |K|, rising")
    pair_classes: int = Field(ge=1, le=20, description="its |C|")
    pair_batch: int = Field(ge=1, le=4096, description="pairs per update")
    pair_steps: int = Field(ge=8, description="its updates")
    world_steps: int = Field(ge=0, description="updates of the interventions; 0 leaves them out")
    growths: int = Field(ge=1, le=1000, description="simulated graphs per size and seed")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        for name in ("entities", "properties", "pair_properties"):
            sizes = getattr(self, name)
            if list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name} must rise")
        if min(self.shares) < 0 or self.shares[0] <= 0:
            raise ValueError("shares must not be negative, and the first must be positive")
        if (self.grammar != "plain") != (self.adjectives > 0):
            raise ValueError("adjectives must be 0 for the plain grammar, and only for it")
        if self.first_checkpoint >= self.steps:
            raise ValueError("first_checkpoint must be below steps")
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")
        for entities in self.entities:
            for properties in self.properties:
                self.vocabulary(entities, properties)
        for properties in self.pair_properties:
            Classes(self.pair_classes, self.pair_entities, properties)
        if self.world_steps and self.pair_entities % (FRAGMENTS * self.pair_classes):
            raise ValueError(
                f"pair_entities must be a multiple of {FRAGMENTS} pair_classes for interventions"
            )
        if self.edges == "circulant":
            for properties in self.properties:
                if properties // self.classes % CIRCULANT_VALUES:
                    raise ValueError(
                        f"circulant edges need properties / classes to be a multiple of "
                        f"{CIRCULANT_VALUES}"
                    )
        if any("fragments" in name for name in self.variants):
            if self.density * FRAGMENTS > 1:
                raise ValueError(f"density leaves no room for {FRAGMENTS} fragments of a class")
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

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            self.width,
            self.depth,
            self.heads,
            self.learning_rate,
            self.steps,
            self.warmup,
            self.initial_std,
            self.bfloat16 and self.torch_device.type == "cuda",
        )

    @property
    def pair_seed_list(self) -> tuple[int, ...]:
        return tuple(range(self.seed, self.seed + self.pair_seeds))

    def pair_task(self, properties: int) -> PairTask:
        """What the pair learner is shown."""
        return PairTask(
            self.pair_entities, properties, self.pair_classes, self.density, self.pair_batch
        )
