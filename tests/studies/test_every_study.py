"""What holds for every study: parameter files that fit, claims that the recorded runs decide and
that fail on their nulls, and recorded sweeps that are those of their files.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from synthcore.evidence import first_edition
from synthcore.evidence.claim import Claim
from synthcore.evidence.decide import decide, decide_all
from synthcore.press.parameters import scale_parameters
from synthcore.press.runs import recorded_runs
from synthcore.press.studies import Study, all_studies, load_config
from synthcore.press.sweep import plan, read_grid
from synthcore.stages import Stage

ROOT = Path(__file__).parents[2]
STUDIES = {study.name: study for study in all_studies(ROOT)}
SCALES = [(name, scale) for name, study in STUDIES.items() for scale in study.scales]
RECORDED = [
    (name, path.stem)
    for name, study in STUDIES.items()
    for path in sorted(study.reference.glob("*.nc"))
    if path.stem in study.scales  # others are stages
]
SWEEPS = [(path.stem, path) for path in sorted(ROOT.glob("notebooks/sweeps/*/*.yaml"))]


def claims(name: str) -> Sequence[Claim | first_edition.Claim]:
    found: Sequence[Claim | first_edition.Claim]
    found = import_module(f"synthcore.studies.{name}.claims").CLAIMS
    return found


def scales(claim: Claim | first_edition.Claim) -> set[str]:
    """Where a claim is decided."""
    return set(claim.scales if isinstance(claim, Claim) else claim.needs)


@cache
def recorded(name: str, scale: str) -> xr.Dataset:
    data: xr.Dataset = xr.load_dataset(STUDIES[name].reference / f"{scale}.nc", engine="h5netcdf")
    return data


@pytest.mark.parametrize(("name", "scale"), SCALES)
def test_parameter_files_fit(name: str, scale: str) -> None:
    assert scale_parameters(STUDIES[name], scale).all


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_a_study_names_its_paper_and_asks_one_question(study: Study) -> None:
    """The card above a chapter shows both."""
    assert f"\n# # {study.title}\n" in study.notebook.read_text()
    assert re.search(r"\[arXiv:(\d{4}\.\d{5})\]\(https://arxiv\.org/abs/\1\)$", study.paper)
    assert study.question.count("?") == 1
    assert study.question.endswith("?")


@pytest.mark.parametrize(("name", "scale"), RECORDED)
def test_no_claim_of_the_first_edition_survives_its_null_on_a_recorded_run(
    name: str, scale: str
) -> None:
    data = recorded(name, scale)
    first = [claim for claim in claims(name) if isinstance(claim, first_edition.Claim)]
    decided = [claim for claim in first if scale in claim.needs]
    verdicts = {claim.id: claim.decide(claim.null(data)).verdict for claim in decided}
    assert "reproduced" not in verdicts.values(), verdicts


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_recorded_claims_pass_neither_on_their_control_nor_around_it(study: Study) -> None:
    """At most 35 of 500 simulated runs without an effect are reproduced, or the median is used."""
    for scale, record in recorded_runs(study).items():
        for claim in record.claims:
            assert not claim.unsound, (scale, claim.id, claim.false_positive)
            passes = claim.control and claim.control["verdict"] == "reproduced"
            assert not (passes and claim.verdict == "reproduced"), (scale, claim.id)


@pytest.mark.parametrize(("name", "scale"), RECORDED)
def test_the_rule_of_a_claim_is_sound_at_a_recorded_runs_noise(name: str, scale: str) -> None:
    """The control is not reproduced, and around its value at most 35 of 500 runs are."""
    data = recorded(name, scale)
    second = [claim for claim in claims(name) if isinstance(claim, Claim)]
    for claim in (claim for claim in second if scale in claim.scales):
        decision = decide(claim, data, scale)
        assert decision.characteristics.sound, (claim.id, decision.characteristics)
        assert decision.control is None or decision.control.verdict != "reproduced", claim.id


@pytest.mark.parametrize("name", STUDIES)
def test_every_claim_of_recorded_scales_has_a_verdict_at_one_of_them(name: str) -> None:
    """A claim of the second edition may be untestable there; it then says why."""
    kept = [scale for study, scale in RECORDED if study == name]
    decisions = [
        decision
        for scale in kept
        for decision in decide_all(claims(name), recorded(name, scale), scale)
    ]
    decided = {
        decision.claim.id
        for decision in decisions
        if decision.verdict.verdict not in ("not decidable at this scale", "not testable here")
    }
    decidable = [claim for claim in claims(name) if set(kept) & scales(claim)]
    for claim in decidable:
        notes = [each.verdict.note for each in decisions if each.claim.id == claim.id]
        assert claim.id in decided or (isinstance(claim, Claim) and all(notes)), claim.id
    assert not kept or len(decided) >= 6


@pytest.mark.parametrize(("name", "file"), SWEEPS)
def test_a_recorded_sweep_has_the_runs_of_its_file(name: str, file: Path) -> None:
    study = STUDIES[name]
    table = pd.read_csv(study.reference / f"{file.parent.name}.csv")
    [scale] = table.scale.unique()
    grid, fixed = read_grid(file)
    planned = [job.parameters.all for job in plan(study, scale, fixed, grid, Path("unused"))]
    names = [*grid.crossed, *grid.zipped, *fixed, "seed"]

    def cells(values: object) -> str:
        return json.dumps(json.loads(values) if isinstance(values, str) else values)

    recorded_runs = table[names].map(cells).apply(tuple, axis=1)
    assert sorted(recorded_runs) == sorted(tuple(cells(p[n]) for n in names) for p in planned)


def stages(name: str) -> list[Stage]:
    """Every stage of a study's experiments; none for a study that has not come over."""
    package = STUDIES[name].root / "synthcore" / "studies" / name / "experiments"
    modules = [
        import_module(f"synthcore.studies.{name}.experiments.{path.stem}")
        for path in sorted(package.glob("[!_]*.py"))
    ]
    found = {id(v): v for module in modules for v in vars(module).values() if isinstance(v, Stage)}
    return list(found.values())


STAGES = [
    pytest.param(name, stage, id=f"{name}-{stage.name}")
    for name in STUDIES
    for stage in stages(name)
]


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_stage_names_what_it_reads(
    name: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs with all other parameters absent, and what it returns can be kept."""
    monkeypatch.setenv("SYNTHCORE_SHIPPED", "ignore")
    study = STUDIES[name]
    config = load_config(study)(**scale_parameters(study, "smoke").all)
    assert stage.study == name
    data = stage(config)
    if stage.per_seed:
        assert data.seed.values.tolist() == list(config.seeds)
    again = stage.obtain(config)
    assert again.source == "kept"
    xr.testing.assert_identical(again.data, data)
