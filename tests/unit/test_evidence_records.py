"""Claims, records and their checksums."""

import json
from pathlib import Path

import pytest
import xarray as xr

from synthcore.evidence.files import find_root, sha256, write_atomic
from synthcore.evidence.first_edition import Claim, Verdict, Word, all_of, at_least, decide_all
from synthcore.evidence.record import (
    CodeRecord,
    DamagedRecord,
    Device,
    FileRecord,
    Record,
    claim_record,
)
from synthcore.evidence.table import claims_html, claims_text

DATA = xr.Dataset({"a": ("seed", [1.0, 2.0, 3.0])})


def claim(name: str = "C1", threshold: float = 0.5, **needs: bool) -> Claim:
    return Claim(
        name,
        "It is <large>.",
        "Fig. 1",
        decide=lambda data: at_least(data.a, threshold),
        needs=needs,
        null=lambda data: -data,
    )


def record(**changes: object) -> Record:
    fields: dict[str, object] = {
        "study": "toy",
        "scale": "check",
        "identity": "x",
        "parameters": {"steps": 3, "sizes": [1, 2]},
        "seeds": (0, 1, 2),
        "code": CodeRecord(notebook="n", closure={}, lock="l", recorded={}),
        "versions": {"python": "3"},
        "device": Device(kind="cpu", name="some"),
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 1.5,
        "cpu_seconds": 1.25,
        "peak_rss_mb": 100.0,
    }
    return Record.model_validate({**fields, **changes})


def test_a_required_claim_must_be_reproduced() -> None:
    claims = [claim(check=True), claim("C2", 9.0, check=False), claim("C3", 9.0, check=True)]
    decisions = decide_all(claims, DATA, "check")
    assert [d.verdict.verdict for d in decisions] == [Word.REPRODUCED, Word.NOT, Word.NOT]
    assert [d.holds for d in decisions] == [True, True, False]


def test_a_scale_that_is_not_needed_decides_nothing() -> None:
    def never(data: xr.Dataset) -> Verdict:
        raise AssertionError

    [decision] = decide_all(
        [Claim("C1", "s", "w", never, {"authors": True}, lambda d: d)], DATA, "x"
    )
    assert decision.verdict.verdict is Word.UNDECIDABLE
    assert decision.verdict.note == "decidable at authors"
    assert decision.holds


def test_a_failing_decision_names_its_claim() -> None:
    bad = Claim("C7", "s", "w", lambda data: at_least(data.b, 0), {"check": True}, lambda d: d)
    with pytest.raises(AttributeError) as caught:
        decide_all([bad], DATA, "check")
    assert caught.value.__notes__ == ["while deciding claim C7: s"]
    with pytest.raises(ValueError, match="Two claims have the id 'C1'"):
        decide_all([claim(), claim()], DATA, "check")


def test_verdicts_become_plain_data() -> None:
    parts = (at_least(DATA.a, 0.5, label="a"), Verdict.undecidable("why", label="b"))
    plain = claim_record(all_of(*parts), id="C1", statement="s <", where="w", required=True)
    assert plain.verdict == "partly reproduced"
    assert [part["observed"] for part in plain.parts] == [2.0, None]
    assert not plain.holds
    json.dumps(plain.model_dump(mode="json"), allow_nan=False)
    assert "s &lt;" in claims_html([plain])
    assert 'data-verdict="partly reproduced"' in claims_html([plain])
    assert "C1  partly reproduced  2 (threshold ≥ 0.5)" in claims_text([plain])


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record().write(path)
    assert Record.read(path) == record()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"seconds": 1.5', '"seconds": 1.4'),
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "",
        lambda text: text.replace('"sha256"', '"sha255"'),
        lambda text: text.replace('"study"', '"stud"'),
    ],
)
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "record.json"
    record().write(path)
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(DamagedRecord, match=r"record\.json is damaged"):
        Record.read(path)


def test_files_are_verified_against_the_record(tmp_path: Path) -> None:
    data = tmp_path / "data.nc"
    data.write_bytes(b"numbers")
    vouching = record(data=(FileRecord(name="data.nc", sha256=sha256(data), bytes=7),))
    vouching.verify(tmp_path)
    data.write_bytes(b"numbert")
    with pytest.raises(DamagedRecord, match=r"data\.nc is damaged"):
        vouching.verify(tmp_path)
    data.unlink()
    with pytest.raises(DamagedRecord, match=r"data\.nc is missing"):
        vouching.verify(tmp_path)


def test_an_interrupted_write_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_the_project_is_found_from_below(tmp_path: Path) -> None:
    (tmp_path / "notebooks" / "params").mkdir(parents=True)
    assert find_root(tmp_path / "notebooks") is None
    (tmp_path / "_toc.yml").touch()
    assert find_root(tmp_path / "notebooks" / "params") == tmp_path
