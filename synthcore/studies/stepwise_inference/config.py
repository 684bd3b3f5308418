"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from typing import Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.training.config import TrainingConfig


class Config(StudyConfig):
    """The notebook's parameters. Every seed has a graph, a split and networks of its own."""

    nodes: int = Field(ge=10, le=400, description="N, nodes of a Bernoulli graph")
    edge_probability: float = Field(gt=0, lt=1, description="p of a Bernoulli graph")
    layers: int = Field(ge=4, le=16, description="L, layers of a layered graph")
    layer_width: int = Field(ge=3, le=64, description="n, nodes of a layer")
    layer_probability: float = Field(gt=0, lt=1, description="p of a layered graph")
    share: float = Field(gt=0, lt=1, description="pairs that are trained on, as a share of all")
    formats: tuple[Literal["step", "direct", "walk"], ...] = Field(
        min_length=2, description="how lines are written; step and direct first"
    )
    width: int = Field(ge=8, le=512, description="width of the residual stream")
    depth: int = Field(ge=1, le=8, description="transformer blocks")
    learning_rate: float = Field(gt=0, le=1, description="peak learning rate of AdamW")
    batch: int = Field(ge=4, le=4096, description="lines per update and member")
    steps: int = Field(ge=8, description="updates, the same for every format")
    checkpoints: int = Field(ge=3, le=100, description="measurements, evenly spaced in log steps")
    test_pairs: int = Field(ge=4, le=5000, description="test pairs of each of three kinds")
    repeats: int = Field(ge=1, le=100, description="sampled answers per test pair for lengths")
    temperature_pairs: int = Field(ge=1, le=60, description="pairs with exact temperature curves")
    samples: int = Field(ge=2, le=10_000, description="draws among which paths are counted")
    monte_carlo: int = Field(ge=2, le=10_000, description="answers sampled per temperature")
    near: tuple[int, ...] = Field(description="Delta: largest layer distances trained on, rising")
    far: int = Field(ge=2, description="smallest layer distance in the stitching test")
    stitch_steps: int = Field(ge=8, description="updates of the stitching networks")
    shift: int = Field(ge=0, le=32, description="answers start up to this much later there")
    mechanism_nodes: int = Field(ge=10, le=200, description="nodes for the one-layer network")
    mechanism_probability: float = Field(gt=0, lt=1, description="its edge probability")
    mechanism_share: float = Field(gt=0, lt=1, description="its share of trained pairs")
    mechanism_steps: int = Field(ge=8, description="updates of the one-layer network")
    motifs: int = Field(ge=6, le=64, description="motifs that chains are made of")
    motif_nodes: int = Field(ge=4, le=40, description="nodes of a motif")
    motif_probability: float = Field(gt=0, lt=1, description="edge probability of a motif")
    between: int = Field(ge=1, le=6, description="most motifs between the ends, in training")
    motif_steps: int = Field(ge=0, description="updates in the motif setting; 0 leaves it out")
    motif_context: int = Field(ge=32, le=512, description="longest motif document")
    motif_shift: int = Field(ge=0, le=256, description="half of them start up to this much later")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        rules = [
            (self.formats[:2] == ("step", "direct"), "formats must begin with step, direct"),
            (self.far < self.layers, "far must be below layers"),
            (all(1 < d < self.far for d in self.near), "near must lie between 2 and far - 1"),
            (list(self.near) == sorted(set(self.near)), "near must rise"),
            (2 * self.between + 2 <= self.motifs, "two chains need 2 between + 2 motifs"),
            (self.between + 4 <= self.motifs, "the longest chain needs between + 4 motifs"),
            (2 * self.motif_shift <= self.motif_context, "motif_shift exceeds half motif_context"),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self

    def training(self, steps: int, warmup: int = 50) -> TrainingConfig:
        """How networks are trained: AdamW with the paper's betas, decay and clipping, at most
        `warmup` updates of linear warm-up and half a cosine."""
        return TrainingConfig(
            steps,
            self.batch,
            self.learning_rate,
            final=0.05,
            warmup=min(warmup, steps // 4),
            betas=(0.9, 0.95),
            weight_decay=0.1,
            clip=1.0,
        )
