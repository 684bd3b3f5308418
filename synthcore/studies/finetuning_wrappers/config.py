"""The notebook's parameters: types, ranges, meanings, and what must fit together."""

from typing import Literal

from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.studies.finetuning_wrappers.task.grammar import World


class Config(StudyConfig):
    """The notebook's parameters. Every seed has weights, texts and perturbations of its own."""

    counter_slots: int = Field(ge=4, le=64, description="letters of the strings Counter reads")
    order_length: int = Field(ge=7, le=14, description="letters of Max-identifier's strings")
    beta: float = Field(gt=0, le=1000, description="score of a selected key, trainable variant")
    slope: float = Field(gt=0, le=1e5, description="slope of its steps, trainable variant")
    compiled_rates: tuple[float, ...] = Field(
        min_length=4, max_length=4, description="eta_L, eta_M, eta_S and eta_VS, falling"
    )
    compiled_shares: tuple[float, ...] = Field(
        min_length=2, description="C_Tr of the compiled networks, 0 first, 1 last"
    )
    compiled_steps: int = Field(ge=10, description="updates, compiled networks")
    compiled_batch: int = Field(ge=4, le=4096, description="strings per update and member")
    compiled_revive_steps: int = Field(ge=10, description="updates of their reverse fine-tuning")
    text: int = Field(ge=8, le=400, description="letters of a text")
    window: int = Field(ge=4, le=400, description="last letters that are counted")
    occurrence: int = Field(ge=1, le=50, description="which occurrence an index asks for")
    least: int = Field(ge=0, le=100, description="fewest of a letter in a broadened window")
    most: int = Field(ge=2, le=200, description="most of a letter in a broadened window")
    families: tuple[Literal["count", "count pair", "index", "index pair", "token"], ...] = Field(
        min_length=1, description="task families of pretraining; count is one of them"
    )
    priors: tuple[Literal["L", "M", "H"], ...] = Field(
        min_length=2, description="how often pretraining asks for b: 0.001, 0.1, 0.3; L and H too"
    )
    width: int = Field(ge=8, le=1024, description="residual stream of the grammar's networks")
    depth: int = Field(ge=1, le=24, description="their blocks")
    heads: int = Field(ge=1, le=32, description="their attention heads")
    decay: float = Field(ge=0, le=1, description="weight decay in pretraining and fine-tuning")
    pretrain_rate: float = Field(gt=0, le=1, description="peak learning rate of pretraining")
    pretrain_steps: int = Field(ge=10, description="updates of pretraining")
    pretrain_batch: int = Field(ge=4, le=4096, description="lines per update and member")
    scratch_steps: int = Field(ge=10, description="updates of networks that only count b")
    tune_rates: tuple[float, ...] = Field(
        min_length=2, max_length=2, description="eta_M and eta_S of fine-tuning"
    )
    tune_shares: tuple[float, ...] = Field(
        min_length=3, description="C_Tr of fine-tuning, 0 first, 1 last, 0.8 among them"
    )
    tune_steps: int = Field(ge=10, description="updates of fine-tuning")
    tune_batch: int = Field(ge=4, le=4096, description="lines per update and member")
    checkpoints: int = Field(ge=3, le=100, description="measurements, evenly spaced in log steps")
    tests: int = Field(ge=20, le=20_000, description="test texts of each of two kinds")
    prune_texts: int = Field(ge=20, description="texts of the gradient that ranks neurons")
    prune_draws: int = Field(ge=1, le=200, description="random deletions, averaged")
    probe_texts: int = Field(ge=40, description="texts for fitting and testing a probe")
    revive_rate: float = Field(gt=0, le=1, description="rate of reverse fine-tuning, below eta_S")
    revive_steps: int = Field(ge=10, description="updates of reverse fine-tuning: the budget")
    revive_every: int = Field(ge=1, description="updates between its measurements")
    mixtures: tuple[float, ...] = Field(description="shares of pretraining rows in mixed tuning")
    variant_steps: int = Field(ge=0, description="updates of mixed and false tuning; 0: left out")
    index_steps: int = Field(ge=0, description="updates of fine-tuning on indices; 0: left out")
    jailbreak_steps: int = Field(ge=0, description="updates before jailbreaks; 0: left out")
    story_steps: int = Field(ge=1, description="updates on stories")
    story_tune_steps: int = Field(ge=1, description="updates of each story protocol")
    story_batch: int = Field(ge=1, le=1024, description="stories per update and member")
    story_width: int = Field(ge=8, le=1024, description="residual stream of story networks")
    story_depth: int = Field(ge=1, le=24, description="their blocks")
    story_rate: float = Field(gt=0, le=1, description="peak learning rate on stories")
    story_tune_rates: tuple[float, ...] = Field(
        min_length=2, max_length=2, description="eta_M and eta_S of the story protocols"
    )
    story_revive_rate: float = Field(gt=0, le=1, description="rate of their recovery")
    story_choices: int = Field(ge=5, description="words of each list that stories use, at most")
    story_tests: int = Field(ge=4, le=1024, description="stories generated per measurement")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        World(self.text, self.window, self.occurrence, self.least, self.most)
        falling = (self.compiled_rates, self.tune_rates, self.story_tune_rates)
        rules = [
            ({"L", "H"} <= set(self.priors), "priors must hold L and H"),
            (len(set(self.priors)) == len(self.priors), "priors must differ"),
            ("count" in self.families, "families must hold count"),
            (not self.index_steps or "index" in self.families, "index_steps needs family index"),
            (self.width % self.heads == 0, "width must be divisible by heads"),
            (all(list(r) == sorted(r, reverse=True) for r in falling), "rates must fall"),
            (self.revive_rate < self.tune_rates[-1], "revive_rate must be below eta_S"),
            (
                self.story_revive_rate <= self.story_tune_rates[-1],
                "story_revive_rate must not exceed eta_S",
            ),
            (self.revive_every * 4 <= self.revive_steps, "revive_steps needs 4 measurements"),
            (0.8 in self.tune_shares, "tune_shares must hold 0.8"),
            *(
                (
                    list(shares) == sorted(set(shares)) and (shares[0], shares[-1]) == (0, 1),
                    f"{name} must rise from 0 to 1",
                )
                for name, shares in (
                    ("tune_shares", self.tune_shares),
                    ("compiled_shares", self.compiled_shares),
                )
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self

    @property
    def world(self) -> World:
        """Sizes of texts and questions."""
        return World(self.text, self.window, self.occurrence, self.least, self.most)
