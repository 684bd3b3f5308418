"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from typing import Any, Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.nn.gpt import GPTConfig
from synthcore.studies.stepwise_inference.task.lines import (
    DataMixture,
    Exposure,
    Format,
    Negatives,
)
from synthcore.training.config import TrainingConfig

FIRST = ("seed", "n_seeds", "formats", "exposure", "steps", "nodes")
"""What a reader turns first."""

# Which parameters the parts of every training read; experiments add their own.
GRAPHS = ("nodes", "edge_probability", "layers", "layer_width", "layer_probability", "share")
LINES = ("exposure", "negatives", "balanced", "edge_lines")
NETWORK = ("width", "depth", "heads", "context", "norm", "bias", "tied", "initial_std")
TRAINING = (
    *("batch", "loss_on", "learning_rate", "final_learning_rate", "warmup"),
    *("beta1", "beta2", "weight_decay", "weight_decay_on", "clip"),
)
COMMON = (*GRAPHS, *LINES, *NETWORK, *TRAINING, "test_pairs", "top_k")


class Config(StudyConfig):
    """The notebook's parameters. Every seed has a graph, a split and networks of its own."""

    nodes: int = Field(ge=10, le=400, description="N, nodes of a Bernoulli graph")
    edge_probability: float = Field(gt=0, lt=1, description="p of a Bernoulli graph")
    layers: int = Field(ge=4, le=16, description="L, layers of a layered graph")
    layer_width: int = Field(ge=3, le=64, description="n, nodes of a layer")
    layer_probability: float = Field(gt=0, lt=1, description="p of a layered graph")
    share: float = Field(gt=0, lt=1, description="pairs that are trained on, as a share of all")

    formats: tuple[Format, ...] = Field(
        min_length=2, description="how lines are written; step and direct first"
    )
    exposure: Exposure = Field(
        description="pairs: a fresh path of a random training pair; paths: the fixed set of all "
        "simple paths of all training pairs"
    )
    negatives: Negatives = Field(
        description="training pairs out of reach: half of them hard, or uniform over all"
    )
    balanced: bool = Field(
        description="whether half of the lines are about goals out of reach, or as many as the "
        "fixed set of lines has"
    )
    edge_lines: bool = Field(description="whether every edge is a line of its own")

    width: int = Field(ge=8, le=512, description="width of the residual stream")
    depth: int = Field(ge=1, le=8, description="transformer blocks")
    heads: int = Field(ge=1, le=16, description="attention heads of every block")
    context: int = Field(ge=8, le=512, description="tokens of the longest line")
    norm: Literal["layer", "rms"] = Field(description="which normalisation")
    bias: bool = Field(description="whether linear layers and norms have a bias")
    tied: bool = Field(description="whether input and output share the token table")
    initial_std: float = Field(gt=0, le=1, description="standard deviation of the initial weights")

    batch: int = Field(ge=4, le=4096, description="lines per update and member")
    loss_on: Literal["answer", "line"] = Field(
        description="whether the loss is on the answer only, or on every token"
    )
    learning_rate: float = Field(gt=0, le=1, description="peak learning rate of AdamW")
    final_learning_rate: float = Field(
        ge=0, le=1, description="where the cosine ends, as a share of the peak; 1 is constant"
    )
    warmup: int = Field(
        ge=0, description="most updates of linear warm-up, a quarter of all at most"
    )
    beta1: float = Field(ge=0, lt=1, description="decay of AdamW's first moment")
    beta2: float = Field(gt=0, lt=1, description="decay of AdamW's second moment")
    weight_decay: float = Field(ge=0, le=10, description="AdamW's decoupled weight decay")
    weight_decay_on: Literal["all", "matrices"] = Field(
        description="what decays: all weights, or matrices and tables only"
    )
    clip: float = Field(gt=0, description="largest gradient norm of a member")

    steps: int = Field(ge=8, description="updates, the same for every format")
    checkpoints: int = Field(ge=4, le=100, description="measurements, evenly spaced in log steps")
    test_pairs: int = Field(
        ge=4, le=5000, description="test pairs of each of three kinds, where a graph has as many"
    )
    top_k: int = Field(ge=0, le=100, description="sampled tokens are among so many; 0: among all")
    repeats: int = Field(ge=1, le=100, description="sampled answers per test pair for lengths")
    temperature_pairs: int = Field(ge=1, le=60, description="pairs with exact temperature curves")
    samples: int = Field(ge=2, le=10_000, description="draws among which paths are counted")
    monte_carlo: int = Field(ge=2, le=10_000, description="answers sampled per temperature")

    near: tuple[int, ...] = Field(
        min_length=2, description="Delta: largest layer distances trained on, rising"
    )
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

    factor_seeds: int = Field(ge=1, le=64, description="seeds of one factor at a time")
    factor_steps: int = Field(ge=0, description="its updates; 0 leaves it out")
    factor_long_steps: int = Field(ge=8, description="updates where the factor is how many")
    factor_nodes: int = Field(ge=10, le=400, description="nodes where the factor is how many")
    factor_node_probability: float = Field(gt=0, lt=1, description="edge probability of that graph")

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
            (self.width % self.heads == 0, "heads must divide width"),
            (
                self.layers + 4 + self.shift <= self.context,
                "context must hold layers + 4 tokens and the shift",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self

    def mixture(self, line_format: Format) -> DataMixture:
        """Which lines training shows."""
        return DataMixture(
            line_format, self.exposure, self.negatives, self.balanced, self.edge_lines
        )

    def network(self, vocabulary: int, **changed: Any) -> GPTConfig:
        """The shape of a network, with learned positions."""
        shape = {
            "context": self.context,
            "width": self.width,
            "depth": self.depth,
            "heads": self.heads,
            "norm": self.norm,
            "bias": self.bias,
            "tied": self.tied,
            "initial_std": self.initial_std,
        }
        return GPTConfig(vocabulary=vocabulary, positions="learned", **{**shape, **changed})

    def training(self, steps: int, warmup: int | None = None) -> TrainingConfig:
        """How networks are trained for so many updates."""
        most = self.warmup if warmup is None else warmup
        return TrainingConfig(
            steps,
            self.batch,
            self.learning_rate,
            final=self.final_learning_rate,
            warmup=min(most, steps // 4),
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
            decayed=self.weight_decay_on,
            clip=self.clip,
        )
