"""Train transformers on Markov mixtures and measure them at log-spaced steps: what every experiment
of this study does, each with its own setting.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.interp.interpolation import simplex_least_squares
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.icl_markov import task, theory
from synthcore.studies.icl_markov.config import Config, Weighting
from synthcore.studies.icl_markov.measure.evaluator import (
    MEMBER,
    REFERENCE,
    VARIABLES,
    EvaluationSets,
    Evaluator,
    Measured,
)
from synthcore.studies.icl_markov.model import attention_scores, build, predictor
from synthcore.training.accelerate import Acceleration
from synthcore.training.config import TrainingConfig
from synthcore.training.fit import fit
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced
from synthcore.training.seeding import seeded

MEMBERS = 16  # train together: more do not stay in a CPU's cache
ATTENTION_SEQUENCES = 16
FOUR = len(theory.FOUR)
DESCRIPTION = {
    **VARIABLES,
    **REFERENCE,
    "previous_token": (MEMBER, "1", "attention to the previous token, first layer, best head"),
    "induction": (MEMBER, "1", "attention to followers of the current state, last layer"),
    "effective_diversity": (MEMBER, "chains", "exp of the entropy of the mixture weights"),
}


@dataclass(frozen=True)
class Setting:
    """One design of network and process, for every diversity and seed; see `Config` for meanings.

    With `inexhaustible`, every training sequence comes from a new chain: the limit of many chains,
    in which counting is Bayes' rule and there is nothing to retrieve.
    """

    diversities: tuple[int, ...]
    states: int
    length: int
    weighting: Weighting
    width: int
    depth: int
    heads: int
    mlp_ratio: float
    vocabulary: int
    tied: bool
    norm: Literal["layer", "rms"]
    bias: bool
    positions: Literal["rotary", "learned"]
    initial_std: float
    steps: int
    batch: int
    learning_rate: float
    final_learning_rate: float
    warmup: int
    beta1: float
    beta2: float
    weight_decay: float
    weight_decay_on: Literal["all", "matrices"]
    clip: float
    bfloat16: bool
    checkpoints: int
    first_checkpoint: int
    evaluation_sequences: int
    contexts: tuple[int, ...]
    shuffled_contexts: tuple[int, ...]
    inexhaustible: bool = False

    @classmethod
    def of(cls, config: Config, **changed: Any) -> "Setting":
        """The parameters of this name, but for what an experiment changes."""
        names = set(cls.__dataclass_fields__) - {"inexhaustible"} - set(changed)
        return cls(**{name: getattr(config, name) for name in names}, **changed)

    def groups(self, seeds: Sequence[int]) -> Iterator["Setting"]:
        """The same for a few diversities at a time, as many as train well together."""
        at_once = max(1, MEMBERS // len(seeds))
        for i in range(0, len(self.diversities), at_once):
            yield replace(self, diversities=self.diversities[i : i + at_once])

    @property
    def network(self) -> GPTConfig:
        return GPTConfig(
            vocabulary=max(self.states, self.vocabulary),
            context=self.length,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            positions=self.positions,
            tied=self.tied,
            norm=self.norm,
            bias=self.bias,
            initial_std=self.initial_std,
        )

    @property
    def training(self) -> TrainingConfig:
        return TrainingConfig(
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            final=self.final_learning_rate,
            warmup=self.warmup,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
            decayed=self.weight_decay_on,
            clip=self.clip,
        )

    @property
    def evaluation(self) -> EvaluationSets:
        return EvaluationSets(
            self.evaluation_sequences, self.length, self.contexts, self.shuffled_contexts
        )

    @property
    def measured_at(self) -> list[int]:
        """Steps at which everything is measured; the first is 0."""
        return log_spaced(
            self.steps, self.checkpoints, first=min(self.first_checkpoint, self.steps)
        )


def train(setting: Setting, config: Config, label: str, progress: Progress) -> xr.Dataset:
    """Networks of every diversity and seed as one population, measured throughout: dimensions
    diversity, seed, step, context, shuffled_context, algorithm.
    """
    diversities = setting.diversities
    conditions = list(product(diversities, config.seeds))
    numbers, seeds = [n for n, _ in conditions], [seed for _, seed in conditions]
    device = config.torch_device
    mixture = task.Mixture.draw(numbers, seeds, setting.states, setting.weighting, device)
    evaluator = Evaluator(mixture, seeds, numbers, setting.evaluation)
    model = build(setting.network, seeds, device)
    training = setting.training

    def sample(step: int) -> Int[Tensor, "M B T"]:
        random = [seeded(seed, n, step, "batch") for n, seed in conditions]
        if setting.inexhaustible:
            tokens, _ = task.new_chains(setting.batch, setting.length, setting.states, random)
        else:
            tokens, _ = mixture.sample(setting.batch, setting.length, random)
        return tokens.to(device)

    def measure(step: int, model: nn.Module) -> Mapping[str, np.ndarray]:
        assert isinstance(model, GPT)
        found = evaluator.evaluate(predictor(model))
        found |= attention_scores(model, evaluator.ood.tokens[:, :ATTENTION_SEQUENCES])
        return as_arrays(found)

    history = fit(
        model,
        sample,
        steps=training.steps,
        optimizer=training.optimizer(model),
        schedule=training.schedule(),
        clip=training.clip,
        checkpoints=setting.measured_at,
        on_checkpoint=measure,
        progress=progress,
        name=f"{label}, N = {', '.join(map(str, diversities))}",
        acceleration=Acceleration(autocast=setting.bfloat16 and device.type == "cuda"),
    )
    steps = sorted(history.measured)
    measured = {
        name: np.stack([history.measured[step][name] for step in steps])
        for name in history.measured[steps[0]]
    }
    diversity = {"effective_diversity": mixture.effective_diversity}
    fixed = as_arrays(evaluator.reference() | diversity)
    data = by_condition(measured, fixed, setting, diversities, config.seeds, step=steps)
    return with_frozen_weights(data)


def as_arrays(measured: Measured) -> dict[str, np.ndarray]:
    """Measurements as NumPy arrays, on the CPU."""
    return {name: values.cpu().numpy() for name, values in measured.items()}


def by_condition(
    measured: Mapping[str, np.ndarray],
    fixed: Mapping[str, np.ndarray],
    setting: Setting,
    diversities: Sequence[int],
    seeds: Sequence[int],
    **along: Sequence[Any],
) -> xr.Dataset:
    """A dataset with dimensions diversity and seed in place of member; what was `measured` has one
    more in front, which `along` names (steps, or predictors). Values are float32 and have units.
    """
    (first,) = along
    variables = {}
    for name, values in (*measured.items(), *fixed.items()):
        dims, unit, long_name = DESCRIPTION[name]
        if name in measured:
            dims = (first, *dims)
        at = dims.index("member")
        dims = (*dims[:at], "diversity", "seed", *dims[at + 1 :])
        shape = (*values.shape[:at], len(diversities), len(seeds), *values.shape[at + 1 :])
        kept = values.astype("int8" if values.dtype.kind == "i" else "float32").reshape(shape)
        variables[name] = (dims, kept, {"units": unit, "long_name": long_name})
    coordinates = {
        "diversity": list(diversities),
        "seed": list(seeds),
        "context": list(setting.contexts),
        "shuffled_context": list(setting.shuffled_contexts),
        "algorithm": list(theory.ALGORITHMS),
        **along,
    }
    about = {"states": setting.states, "length": setting.length, "steps": setting.steps}
    units = {"step": "updates", "context": "tokens", "diversity": "chains"}
    return labelled(xr.Dataset(variables, coordinates, about), units)


def with_frozen_weights(data: xr.Dataset) -> xr.Dataset:
    """Add the residual of LIA with the best single set of weights for all of training, and drop the
    inner products that only this control needs.
    """
    trained = data.isel(step=slice(1, None))
    cross = trained.lia_cross.mean("step").transpose("diversity", "seed", "context", "algorithm")
    gram = data.lia_gram.transpose("diversity", "seed", "context", "algorithm", "other")
    weights = xr.zeros_like(cross)
    weights[..., :FOUR] = simplex_least_squares(
        torch.from_numpy(gram.values[..., :FOUR, :FOUR]).double(),
        torch.from_numpy(cross.values[..., :FOUR]).double(),
    ).numpy()
    quadratic = (weights * gram * weights.rename(algorithm="other")).sum(["algorithm", "other"])
    square = data.lia_power - 2 * (weights * data.lia_cross).sum("algorithm") + quadratic
    data["frozen_residual"] = np.sqrt(square.clip(min=0)).assign_attrs(
        units="1", long_name="residual of LIA with frozen weights"
    )
    return data.drop_vars(["lia_gram", "lia_cross", "lia_power"])
