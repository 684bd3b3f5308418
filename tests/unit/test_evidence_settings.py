"""Parameters against their sources: every study's file, and what becomes of a faulty one."""

from pathlib import Path

import pytest
from pydantic import Field

from synthcore.config import StudyConfig
from synthcore.evidence.settings import FOLDER, Row, SourceError, faults, read_sources, rows, same
from synthcore.press.parameters import scale_parameters
from synthcore.press.studies import Study, all_studies, load_config

ROOT = Path(__file__).parents[2]
STUDIES = all_studies(ROOT)

# Studies whose settings have not been held against their papers' yet: remove a name with its file.
WITHOUT_SOURCES = {
    "concept_space",
    "finetuning_wrappers",
    "representation_shattering",
}


def source(study: Study) -> Path:
    return ROOT / FOLDER / f"{study.name}.source.yaml"


WITH_SOURCES = [study for study in STUDIES if source(study).is_file()]


def test_every_study_has_a_source_file_or_is_known_to_have_none() -> None:
    without = {study.name for study in STUDIES} - {study.name for study in WITH_SOURCES}
    assert without == WITHOUT_SOURCES


@pytest.mark.parametrize("study", WITH_SOURCES, ids=lambda study: study.name)
def test_the_parameters_are_the_sources_or_there_is_a_reason(study: Study) -> None:
    authors = scale_parameters(study, "authors").all
    values = load_config(study)(**authors).model_dump()
    assert faults(read_sources(source(study)), values) == []


@pytest.mark.parametrize("study", WITH_SOURCES, ids=lambda study: study.name)
def test_every_difference_of_a_run_has_a_reason(study: Study) -> None:
    for scale in study.scales:
        config = load_config(study)(**scale_parameters(study, scale).all)
        table = rows(study.name, config, ROOT)
        assert [(scale, row.setting) for row in table if not row.why] == []


class Toy(StudyConfig):
    """A study with four parameters of its own."""

    steps: int = Field(description="updates")
    rate: float = Field(description="learning rate")
    sizes: tuple[int, ...] = Field(description="sizes")
    clip: float = Field(description="largest gradient norm")


SOURCE = """
files: {config: train.yaml}
smaller: a run of minutes
parameters:
  seed: {where: ours}
  n_seeds: {where: ours}
  device: {where: ours}
  steps: {paper: 1000, where: config:1, smaller: the curve is flat by then}
  rate: {paper: 1e-3, where: config:2}
  sizes: {paper: [1, 2], where: Fig. 3, why: more sizes}
  clip: {where: not public, why: the usual value}
"""
AUTHORS = {"steps": 1000, "rate": 0.001, "sizes": [1, 2, 4], "clip": 1.0}
CONFIG = {"seed": 0, "n_seeds": 1, "device": "cpu", **AUTHORS}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the toy's two files."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (folder / "toy.source.yaml").write_text(SOURCE)
    (folder / "toy.yaml").write_text("steps: 1000\nrate: 1e-3\nsizes: [1, 2, 4]\nclip: 1.0\n")
    return tmp_path


def test_the_authors_run_differs_where_the_file_says_why(root: Path) -> None:
    assert rows("toy", Toy(**CONFIG), root) == [
        Row("sizes", "sizes", "1, 2", "1, 2, 4", "more sizes", "Fig. 3"),
        Row("clip", "largest gradient norm", "not public", "1", "the usual value", "not public"),
    ]


def test_a_smaller_run_has_the_reasons_of_smaller_runs(root: Path) -> None:
    table = rows("toy", Toy(**{**CONFIG, "steps": 20, "rate": 0.1, "sizes": [2]}), root)
    assert [(row.setting, row.here, row.why) for row in table] == [
        ("steps", "20", "the curve is flat by then"),
        ("rate", "0.1", "a run of minutes"),
        ("sizes", "2", "more sizes"),
        ("clip", "1", "the usual value"),
    ]


def test_where_there_is_no_file_there_are_no_rows(root: Path) -> None:
    assert rows("other", Toy(**CONFIG), root) == []


def test_a_complete_file_has_no_fault(root: Path) -> None:
    assert faults(read_sources(root / FOLDER / "toy.source.yaml"), CONFIG) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("  rate: {paper: 1e-3, where: config:2}\n", ""), "rate is missing"),
        (("  rate:", "  pace: {where: ours}\n  rate:"), "pace is no parameter"),
        (("1e-3", "2e-3"), "rate is 0.001, the paper has: 0.002, and no reason is given"),
        (("config:2}", "config:2, why: so}"), "rate gives a reason and does not differ"),
        (
            (", why: the usual value", ""),
            "clip is 1, the paper has: not public",
        ),
    ],
)
def test_each_fault_is_a_sentence(root: Path, change: tuple[str, str], fault: str) -> None:
    path = root / FOLDER / "toy.source.yaml"
    path.write_text(SOURCE.replace(*change))
    [found] = faults(read_sources(path), CONFIG)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("parameters: [1", "Cannot read"),
        ("steps: {paper: 1, where: x}", "must be a mapping with an entry 'parameters'"),
        ("parameters: {steps: 3}", "steps must be a mapping"),
        ("parameters: {steps: {paper: 3}}", "does not say where"),
        ("parameters: {steps: {where: config:3}}", "a place needs a value"),
        ("parameters: {steps: {paper: 3, where: ours}}", "needs a place"),
        ("parameters: {steps: {paper: 3, were: x}}", "unknown entry 'were'"),
        ("parameters: {a: {where: ours}, a: {where: ours}}", "'a' stands twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, content: str, sentence: str
) -> None:
    path = tmp_path / "toy.source.yaml"
    path.write_text(content)
    with pytest.raises(SourceError, match=sentence) as caught:
        read_sources(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_true_is_not_one() -> None:
    """In Python it is, and a switch would pass for a number."""
    assert not same(True, 1)
    assert same(1, 1.0)
