"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from dataclasses import replace

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.compositional_capabilities.model import NetworkConfig
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.task.subsets import Condition


class Config(StudyConfig):
    """The notebook's parameters. Every seed has functions, subsets and networks of its own."""

    positions: int = Field(ge=2, le=8, description="L, functions in a composition")
    functions: int = Field(ge=1, le=24, description="N, functions of a position, no identity")
    alphabet: int = Field(ge=2, le=32, description="A, symbols")
    word: int = Field(ge=1, le=16, description="K, symbols of a word")
    subsets: tuple[str, ...] = Field(
        min_length=1, description="what stepwise networks are trained on; see the table of subsets"
    )
    width: int = Field(ge=8, le=512, description="residual stream of the stepwise networks")
    learning_rate: float = Field(gt=0, le=1, description="its peak, stepwise networks")
    batch: int = Field(ge=4, le=4096, description="documents per update, stepwise networks")
    steps: int = Field(ge=8, description="updates, stepwise networks")
    checkpoints: int = Field(ge=3, le=100, description="measurements, evenly spaced in log steps")
    words: int = Field(ge=1, le=1000, description="words per composition in every measurement")
    cell_samples: int = Field(ge=1, le=1000, description="compositions tested in each (k, m)")
    direct_n: tuple[int, ...] = Field(
        min_length=1, description="sizes of the random subsets of direct networks, rising"
    )
    direct_width: int = Field(ge=8, le=512, description="residual stream, direct networks")
    direct_rate: float = Field(gt=0, le=1, description="peak learning rate, direct networks")
    direct_batch: int = Field(ge=4, le=4096, description="documents per update, direct networks")
    direct_steps: int = Field(ge=8, description="updates, direct networks")
    matched_steps: int = Field(
        ge=8, description="updates of stepwise networks with the direct ones' shape and subsets"
    )
    slot_functions: int = Field(ge=2, le=24, description="N of the two-slot task")
    slot_n: tuple[int, ...] = Field(min_length=2, description="sizes of its subsets, rising")
    slot_control: tuple[int, ...] = Field(
        min_length=1, description="the same for a bijection after a bijection"
    )
    slot_decides: int = Field(ge=2, description="the size at which the two-slot claim is decided")
    slot_steps: int = Field(ge=8, description="updates, two-slot task")
    one_layer_n: int = Field(ge=1, description="size of the one-layer network's random subset")
    one_layer_steps: int = Field(ge=8, description="updates of the one-layer network")
    depths: tuple[int, ...] = Field(description="layers in the depth sweep, rising")
    depth_n: int = Field(ge=1, description="size of the direct networks' subset in the depth sweep")
    sweep_heads: tuple[int, ...] = Field(
        min_length=1, description="attention heads in the depth sweep, step by step; rising"
    )
    depth_steps: int = Field(ge=0, description="updates in the depth sweep; 0 leaves it out")
    lstm_n: int = Field(ge=1, description="size of the random subset that an LSTM is trained on")
    lstm_steps: int = Field(ge=0, description="updates of the LSTM; 0 leaves it out")
    deep_layers: int = Field(ge=2, le=24, description="layers of the networks that are read")
    deep_steps: int = Field(ge=0, description="their updates; 0 leaves lens and ablation out")
    bias_steps: int = Field(ge=0, description="updates in the order-bias tests; 0 leaves them out")
    coverage: tuple[int, ...] = Field(
        description="all-displaced compositions beside in-order ones in the order-bias tests"
    )

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        whole = (self.functions + 1) ** self.positions
        drawn = max(*self.direct_n, self.one_layer_n, self.depth_n, self.lstm_n)
        pairs = (self.slot_functions + 1) ** 2
        slots = (*self.slot_n, *self.slot_control)
        rules = [
            (drawn < whole, f"subsets must be below {whole}"),
            (list(self.direct_n) == sorted(set(self.direct_n)), "direct_n must rise"),
            (list(self.slot_n) == sorted(set(self.slot_n)), "slot_n must rise"),
            (max(slots) < pairs, f"slot_n and slot_control must be below {pairs}"),
            (
                self.slot_decides in self.slot_n and self.slot_decides in self.slot_control,
                "slot_decides must be in slot_n and slot_control",
            ),
            (len(set(self.subsets)) == len(self.subsets), "subsets must differ"),
            (
                self.direct_network.heads in self.sweep_heads,
                f"sweep_heads needs {self.direct_network.heads}",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        for condition in self.conditions:
            if condition.kind == "random" and condition.size(self.layout) >= whole:
                raise ValueError(f"subsets must be below {whole}, the size of the set")
        return self

    @property
    def layout(self) -> Layout:
        """Sizes of the task."""
        return Layout(self.positions, self.functions, self.alphabet, self.word)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What the stepwise networks are trained on."""
        return tuple(Condition.parse(text) for text in self.subsets)

    @property
    def step_network(self) -> NetworkConfig:
        """Stepwise networks. Strong weight decay: some seeds of the usual 0.1 end short of .95."""
        return NetworkConfig(
            width=self.width,
            depth=2,
            heads=2,
            learning_rate=self.learning_rate,
            batch=self.batch,
            steps=self.steps,
            weight_decay=1.0,
        )

    @property
    def direct_network(self) -> NetworkConfig:
        """Networks that answer directly."""
        return NetworkConfig(
            width=self.direct_width,
            depth=2,
            heads=2,
            learning_rate=self.direct_rate,
            batch=self.direct_batch,
            steps=self.direct_steps,
        )

    @property
    def matched_network(self) -> NetworkConfig:
        """Stepwise networks of the direct ones' shape."""
        batch, steps = self.direct_batch // 2, self.matched_steps
        return replace(self.direct_network, batch=batch, steps=steps)

    @property
    def slot_network(self) -> NetworkConfig:
        """Of the two-slot task: a layer more."""
        return replace(self.direct_network, depth=3, steps=self.slot_steps, warmup=100)

    @property
    def one_layer_network(self) -> NetworkConfig:
        """Stepwise, of one layer with one head."""
        steps = self.one_layer_steps
        return replace(self.direct_network, depth=1, heads=1, batch=32, steps=steps)
