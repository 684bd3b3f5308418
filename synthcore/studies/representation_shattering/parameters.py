"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.representation_shattering.networks import Recipe
from synthcore.studies.representation_shattering.task import Relations


class Config(StudyConfig):
    """The notebook's parameters. Every seed has orders, hold-outs and a network of its own."""

    entities: int = Field(ge=10, le=4096, description="N, entities on every circle")
    hops: int = Field(ge=1, le=8, description="steps of the longest relation")
    held_facts: float = Field(ge=0, le=0.3, description="share of facts that training never shows")
    held_chains: float = Field(ge=0, le=0.5, description="share of chains of two it never shows")
    two_hop: float = Field(ge=0, lt=1, description="share of two relations between two entities")
    length: int = Field(ge=8, le=64, description="tokens of a training walk")
    width: int = Field(ge=4, le=256, description="residual stream")
    heads: int = Field(ge=1, le=16, description="attention heads")
    depth: int = Field(ge=1, le=8, description="blocks")
    learning_rate: float = Field(gt=0, le=1, description="its peak")
    weight_decay: float = Field(ge=0, le=1, description="of AdamW")
    batch: int = Field(ge=1, le=4096, description="walks per update and network")
    steps: int = Field(ge=1, description="updates")
    block: int = Field(ge=0, le=7, description="block whose MLP is edited")
    distances: tuple[int, ...] = Field(
        min_length=2, description="how far along order I a counterfactual moves the answer, rising"
    )
    edits: int = Field(ge=3, le=1000, description="edits for each distance, and corrective ones")
    editor_edits: int = Field(ge=3, le=1000, description="of those, how many all editors make")
    contexts: int = Field(ge=1, le=64, description="contexts that an editor sees a fact in")
    question_contexts: int = Field(ge=1, le=16, description="contexts that an answer averages over")
    questions: int = Field(ge=4, le=4096, description="questions of every kind about every order")
    moment_tokens: int = Field(ge=100, description="keys from which editors learn C")
    anchors: int = Field(ge=10, le=4096, description="entities between which distances are taken")
    reorderings: int = Field(ge=20, le=10_000, description="random orders a ring is compared with")
    phase_entities: tuple[int, ...] = Field(
        description="N of the networks in the phase plot, rising; empty leaves it out"
    )
    phase_widths: tuple[int, ...] = Field(description="widths of the networks in the phase plot")
    phase_steps: int = Field(ge=0, description="updates of the networks in the phase plot")
    month_edits: int = Field(
        ge=0,
        le=72,
        description="edits of months in SmolLM2; needs the extra [llm]; 0 leaves it out",
    )

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        rising = list(self.distances) == sorted(set(self.distances)) and self.distances[0] >= 1
        rules = [
            (self.entities > 2 * self.hops + 1, f"entities must be above {2 * self.hops + 1}"),
            (rising, "distances must rise from at least 1"),
            (
                self.distances[-1] <= self.entities // 2,
                f"distances must be at most {self.entities // 2}, half the circle",
            ),
            (self.block < self.depth, f"block must be below depth {self.depth}"),
            (
                all(w % self.heads == 0 for w in (self.width, *self.phase_widths)),
                "width and phase_widths must be divisible by heads",
            ),
            (self.editor_edits <= self.edits, "editor_edits must be at most edits"),
            (
                not self.phase_entities or (len(self.phase_widths) > 0 and self.phase_steps > 0),
                "phase_entities need phase_widths and phase_steps",
            ),
            (
                all(2 * max(self.distances[:-1]) < n for n in self.phase_entities),
                "phase_entities must be more than twice every distance but the largest",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self

    @property
    def relations(self) -> Relations:
        return Relations(hops=self.hops)

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            width=self.width,
            heads=self.heads,
            depth=self.depth,
            learning_rate=self.learning_rate,
            batch=self.batch,
            length=self.length,
            steps=self.steps,
            decay=self.weight_decay,
        )
