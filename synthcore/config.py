"""Parameters of a study: typed, ranged, described, and refused in one readable sentence.

A study subclasses `StudyConfig` as `Config`. Its fields are the names in the notebook's parameters
cell, one to one; the defaults live in that cell, so the class states only type, range and meaning.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

if TYPE_CHECKING:  # torch takes seconds to import; listing and checking parameters need none of it
    import torch


Config = TypeVar("Config", bound="StudyConfig")


class ParameterError(ValueError):
    """A parameter is unknown, missing, ill-typed or out of range; the message says which."""


class UndeclaredParameter(ParameterError):  # noqa: N818 - the word users see
    """A stage reads a parameter that it does not name; the message says which and how to."""


class StudyConfig(BaseModel):
    """What every study can be asked: seeds, members per condition, device.

    >>> StudyConfig(seed=0, n_seeds=0)
    Traceback (most recent call last):
    ...
    synthcore.config.ParameterError: n_seeds must be an integer, 1 to 64 (got 0).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seed: int = Field(
        ge=0,
        le=2_000_000_000,  # what every generator takes, with what studies add to it
        description="first seed; seeds are seed, seed + 1, ...",
    )
    n_seeds: int = Field(ge=1, le=64, description="members trained per condition")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where to compute; auto takes CUDA if there is one"
    )

    _stage: str = PrivateAttr("")  # the stage that sees only some of the parameters

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ParameterError(_sentence(type(self), error)) from None

    @model_validator(mode="before")
    @classmethod
    def _sequences(cls, values: Any) -> Any:
        """Lists become tuples: a frozen config holds tuples, YAML and notebooks write lists."""
        return {k: _frozen(v) for k, v in values.items()} if isinstance(values, dict) else values

    @classmethod
    def from_cell(cls: type[Config], namespace: Mapping[str, Any]) -> Config:
        """The config whose values are the variables of these names, as in `from_cell(globals())`.

        Raises ParameterError if a variable is missing, of the wrong type or out of range.
        """
        return cls(**{name: namespace[name] for name in cls.model_fields if name in namespace})

    def only(self: Config, names: Iterable[str], seeds: Sequence[int], stage: str) -> Config:
        """What the stage called `stage` sees: the parameters `names`, the device, and these seeds,
        which follow one another. Reading another parameter raises UndeclaredParameter.
        """
        some = self.model_copy(update={"seed": seeds[0], "n_seeds": len(seeds)})
        some._stage = stage
        for name in set(some.__dict__) - {*names, "seed", "n_seeds", "device"}:
            del some.__dict__[name]
        return some

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise UndeclaredParameter(
                    f"The stage {self._stage} reads the parameter '{name}' and does not name it: "
                    f'@stage(reads=(..., "{name}")).'
                )
            return super().__getattr__(name)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, one per member of a condition."""
        return tuple(range(self.seed, self.seed + self.n_seeds))

    @property
    def torch_device(self) -> "torch.device":
        """The device to compute on. Raises ParameterError for `cuda` where there is none."""
        import torch

        available = torch.cuda.is_available()
        if self.device == "cuda" and not available:
            raise ParameterError(
                "device is cuda, but this PyTorch finds no CUDA device: "
                "use --device cpu or auto, or install a CUDA build of torch and check nvidia-smi."
            )
        chosen = "cuda" if available and self.device != "cpu" else "cpu"
        return torch.device(chosen)

    @property
    def device_note(self) -> str:
        """Where this runs, in words; says so when `auto` had to fall back to the CPU."""
        device = self.torch_device.type
        fell_back = self.device == "auto" and device == "cpu"
        return f"device: {device}" + (" (auto: no CUDA device found)" if fell_back else "")


def describe(config: type[StudyConfig]) -> dict[str, dict[str, str]]:
    """Name -> type, range and description of every parameter, as text."""
    return {
        name: {
            "type": type_words(field),
            "range": range_words(field),
            "description": field.description or "",
        }
        for name, field in config.model_fields.items()
    }


def type_words(field: FieldInfo) -> str:
    """`an integer`, `a number`, `one of auto, cpu, cuda`, `a list of integers` ..."""
    return _type_words(field.annotation)


def range_words(field: FieldInfo) -> str:
    """`1 to 64`, `at least 0`, `more than 0 and at most 1`; empty where nothing is bounded."""
    bounds: dict[str, Any] = {}
    for rule in field.metadata:
        for key in ("ge", "gt", "le", "lt", "min_length", "max_length", "multiple_of"):
            if getattr(rule, key, None) is not None:
                bounds[key] = getattr(rule, key)
    if "ge" in bounds and "le" in bounds:
        words = [f"{bounds.pop('ge')} to {bounds.pop('le')}"]
    else:
        words = []
    names = {
        "ge": "at least",
        "gt": "more than",
        "le": "at most",
        "lt": "less than",
        "multiple_of": "a multiple of",
    }
    words += [f"{text} {bounds[key]}" for key, text in names.items() if key in bounds]
    if "min_length" in bounds or "max_length" in bounds:
        low, high = bounds.get("min_length", 0), bounds.get("max_length", "any number of")
        words.append(f"{low} to {high} entries")
    return " and ".join(words)


def nearest(name: str, valid: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or the valid names where nothing is close."""
    names = sorted(valid)
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Did you mean '{match[0]}'?" if match else f"Valid: {', '.join(names) or 'none'}."


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _type_words(kind: Any, many: bool = False) -> str:
    plain = {
        int: ("an integer", "integers"),
        float: ("a number", "numbers"),
        bool: ("true or false", "true or false"),
        str: ("text", "text"),
    }
    if kind in plain:
        return plain[kind][many]
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if get_origin(kind) in (tuple, list):
        inner = [a for a in arguments if a is not Ellipsis]
        same = len(set(inner)) == 1
        return "a list of " + (
            _type_words(inner[0], many=True)
            if same
            else ", ".join(_type_words(item) for item in inner)
        )
    if arguments:  # Annotated[...] or a union
        inner = [a for a in arguments if isinstance(a, type) or get_origin(a)]
        return " or ".join("nothing" if a is type(None) else _type_words(a, many) for a in inner)
    return str(getattr(kind, "__name__", kind))


def _sentence(config: type[StudyConfig], error: ValidationError) -> str:
    """One sentence for the first of pydantic's complaints."""
    first = error.errors()[0]
    if not first["loc"]:  # a rule over several fields, written by the study
        return first["msg"].removeprefix("Value error, ")
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"Unknown parameter '{name}'. {nearest(name, config.model_fields)}"
    field = config.model_fields[name]
    span = range_words(field)
    must = f"{name} must be {type_words(field)}" + (f", {span}" if span else "")
    if first["type"] == "missing":
        return f"Parameter '{name}' is missing: {must}."
    own_rule = first["type"] == "value_error"
    reason = ": " + first["msg"].removeprefix("Value error, ") if own_rule else ""
    return f"{must} (got {first['input']!r}){reason}."
