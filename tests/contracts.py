"""What every study's experiment and claims promise. A study's tests subclass these with what is its
own: parameters that run in seconds, changes of them that are refused, an invented run.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from synthcore.config import ParameterError
from synthcore.evidence import claim
from synthcore.evidence.decide import decide
from synthcore.evidence.first_edition import Claim, Word
from synthcore.evidence.verdict import together
from synthcore.press.parameters import scale_parameters
from synthcore.press.studies import find_study

ROOT = Path(__file__).parents[1]

Once = Callable[[Callable[[], xr.DataTree]], xr.DataTree]
"""`once(run)`: what `run()` returns, computed by the first worker that asks for it."""


def smoke(study: str, **changes: Any) -> dict[str, Any]:
    """A study's parameters at smoke scale, on the CPU, with changes."""
    return {**scale_parameters(find_study(ROOT, study), "smoke").all, "device": "cpu", **changes}


def same_beside_others(both: xr.Dataset, alone: xr.Dataset, tolerance: float) -> None:
    """Seed 1 has the same numbers in a population with seed 0, `both`, as in one of its own."""
    measured = {
        name: values
        for name, values in alone.data_vars.items()
        if "seed" in values.dims and values.dtype.kind == "f"
    }
    assert measured
    for name, values in measured.items():
        np.testing.assert_allclose(
            both[name].sel(seed=[1]), values, rtol=tolerance, atol=tolerance, err_msg=str(name)
        )


def has_the_effect(rule: claim.Claim, run: xr.DataTree, gates: bool = False) -> None:
    """Every primary endpoint of a claim reproduces in the ideal; and every gate holds, if asked."""
    assert rule.ideal is not None
    ideal = rule.ideal(run)
    for endpoint in rule.endpoints:
        verdict = endpoint(ideal)
        assert verdict.verdict == "reproduced", (rule.id, verdict)
    for gate in rule.gates if gates else ():
        assert gate(ideal).holds, (rule.id, gate(ideal))


def lacks_the_effect(rule: claim.Claim, run: xr.DataTree) -> None:
    """The primary endpoints of a claim, together, do not reproduce in the control."""
    assert rule.control is not None
    control = rule.control(run)
    verdict = together([endpoint(control) for endpoint in rule.endpoints])
    assert verdict.verdict != "reproduced", (rule.id, verdict)


def experiment_of(tests: ModuleType) -> ModuleType:
    """The module `experiment` of the study that `test_<study>_experiment.py` is about."""
    study = Path(tests.__file__ or "").stem.removeprefix("test_").removesuffix("_experiment")
    return import_module(f"synthcore.studies.{study}.experiment")


class ExperimentContract:
    """Uses the module's `TINY` parameters, and the fixture `tiny`, a run with them."""

    refused: ClassVar[Sequence[tuple[dict[str, object], str]]]
    """Changes of `TINY`, and how the sentence about each begins."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "change" in metafunc.fixturenames:
            metafunc.parametrize(("change", "sentence"), self.refused)

    def test_same_parameters_give_the_same_numbers(
        self, tiny: xr.Dataset, request: pytest.FixtureRequest
    ) -> None:
        experiment = experiment_of(request.module)
        again = experiment.run(experiment.Config(**request.module.TINY))
        xr.testing.assert_identical(tiny, again)

    def test_every_number_has_a_unit(self, tiny: xr.Dataset) -> None:
        without = [n for n, variable in tiny.variables.items() if "units" not in variable.attrs]
        assert without == []

    def test_bad_parameters_are_one_sentence(
        self, change: dict[str, object], sentence: str, request: pytest.FixtureRequest
    ) -> None:
        with pytest.raises(ParameterError, match=sentence) as caught:
            experiment_of(request.module).Config(**{**request.module.TINY, **change})
        assert "\n" not in str(caught.value)


class ClaimsContract:
    """For claims of the first edition. Uses the fixture `invented`, a run in which everything that
    the claims say holds.
    """

    claims: ClassVar[Sequence[Claim]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "claim" in metafunc.fixturenames:
            metafunc.parametrize("claim", self.claims, ids=[claim.id for claim in self.claims])

    def test_a_run_in_which_everything_holds_is_found_to_hold(
        self, claim: Claim, invented: xr.Dataset
    ) -> None:
        verdict = claim.decide(invented)
        assert verdict.verdict is Word.REPRODUCED, verdict

    def test_no_claim_survives_its_null(self, claim: Claim, invented: xr.Dataset) -> None:
        assert claim.decide(claim.null(invented)).verdict is not Word.REPRODUCED


class EndpointsContract:
    """Uses the fixture `invented`, a run at `scale` in which everything that the claims say holds,
    with all controls.
    """

    claims: ClassVar[Sequence[claim.Claim]]
    scale: ClassVar[str] = "reference"

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "each" in metafunc.fixturenames:
            metafunc.parametrize("each", self.claims, ids=[each.id for each in self.claims])

    def test_a_run_in_which_everything_holds_is_found_to_hold(
        self, each: claim.Claim, invented: xr.Dataset
    ) -> None:
        decision = decide(each, invented, self.scale)
        assert decision.verdict.verdict == "reproduced", decision

    def test_an_empirical_claim_has_both_controls_and_the_rule_is_sound(
        self, each: claim.Claim, invented: xr.Dataset
    ) -> None:
        """On the control it is not reproduced; around it at most 35 of 500 runs are."""
        if each.kind == "empirical":
            decision = decide(each, invented, self.scale)
            assert decision.ideal is not None
            assert decision.control is not None
            assert decision.control.verdict != "reproduced"
            assert decision.characteristics.sound, decision.characteristics
