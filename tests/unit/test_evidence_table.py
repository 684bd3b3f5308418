"""The claims table: every claim a row and a fold, every drawing a text; both editions."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import xarray as xr

from synthcore.evidence.claim import Claim
from synthcore.evidence.controls import instead
from synthcore.evidence.decide import claim_records
from synthcore.evidence.details import details_html
from synthcore.evidence.gates import reaches
from synthcore.evidence.interval_plot import described, interval_plot
from synthcore.evidence.record import ClaimRecord
from synthcore.evidence.statistics import at_least, at_most, within_tolerance
from synthcore.evidence.table import against, bounds, claims_html, claims_text, interval, power

DATA = xr.Dataset(
    {
        "rise": ("seed", [0.9, 1.0, 1.1, 1.05, 0.95]),
        "rise_untrained": ("seed", [0.1, -0.1, 0.05, -0.05, 0.0]),
        "wide": ("seed", [0.0, 2.0, 1.0, -1.0, 3.0]),
        "wide_untrained": ("seed", [-1.0, 1.0, 0.5, -0.5, 0.0]),
    }
)
OLD = ClaimRecord.model_validate(
    {
        "id": "C0",
        "statement": "A < B",
        "where": "Fig. 1",
        "required": False,
        "verdict": "partly reproduced",
        "observed": 0.2,
        "threshold": 0.5,
        "direction": ">=",
        "interval": (0.1, 0.4),
        "n": 3,
        "note": "1 of 2 parts hold",
        "parts": [
            {"observed": x, "threshold": 0.5, "direction": ">=", "interval": (x, x), "n": 3,
             "verdict": word, "note": "", "label": label, "parts": ()}
            for x, word, label in ((0.2, "not reproduced", "one"), (0.9, "reproduced", "two"))
        ],
    }
)  # fmt: skip


def rises(data: xr.Dataset) -> Any:
    return at_least(data.rise, 0.5, label="rise")


def spreads(data: xr.Dataset) -> Any:
    return at_least(data.wide, 0.5, label="wide")


def one(scale: str = "check", **changes: Any) -> ClaimRecord:
    given: dict[str, Any] = {"primary": rises, "threshold_source": "ours: <half>", **changes}
    [record] = claim_records([Claim("C1", "It rises.", where="Fig. 1", **given)], DATA, scale)
    return record


BOTH = one(
    primary=(rises, spreads),
    control=instead(rise="rise_untrained", wide="wide_untrained"),
    further=(lambda data: at_most(data.rise, 0.5, label="stays low"),),
    gates=(lambda data: reaches(data.rise, 0.5, "accuracy before"),),
    required=("check",),
)


def rows(html: str) -> ET.Element:
    return ET.fromstring(html.replace("&nbsp;", " ").replace("<br>", "<br/>"))


@pytest.mark.parametrize(
    ("direction", "left", "wide"), [(">=", 181.0, 9.0), ("<=", 0, 181.0)], ids=["above", "below"]
)
def test_a_drawn_interval(direction: str, left: float, wide: float) -> None:
    """From 0.1 at 9 pixels to the threshold, 0.5, at 181."""
    svg = interval_plot(OLD.model_copy(update={"direction": direction}))
    assert f'<rect class="claimed" x="{left}" y="1" width="{wide}"' in svg
    assert 'd="M181.0 0V30"' in svg
    assert 'd="M9.0 11H138.0"' in svg
    assert '<circle cx="52.0"' in svg
    side = "at least" if direction == ">=" else "at most"
    words = f"observed 0.2, interval 0.1 to 0.4, threshold {side} 0.5"
    assert f'role="img" aria-label="{words}"' in svg


def test_a_drawing_shows_seeds_and_control_and_takes_the_pages_colours() -> None:
    record = one(control=instead(rise="rise_untrained"))
    svg = ET.fromstring(interval_plot(record))
    [seeds] = [path for path in svg if path.get("class") == "seeds"]
    assert (seeds.get("d") or "").count("M") == 5
    assert [path.get("class") for path in svg].count("control") == 1
    inks = {e.get(name) for e in svg for name in ("fill", "stroke")}
    assert inks <= {"currentColor", "none", None}
    assert "control 0" in described(record)


def test_bounds_that_do_not_exist_reach_the_edge() -> None:
    few = one(primary=lambda data: at_least(data.wide[:3], 0.5, method="median"))
    svg = interval_plot(few)
    assert "M0.0 11H190" in svg
    assert bounds(few) == "[−∞, ∞]"
    assert "bounds without end to without end" in svg


def test_nothing_observed_nothing_drawn() -> None:
    nothing = OLD.model_copy(update={"observed": None})
    assert interval_plot(nothing) == ""
    assert interval(nothing) == against(nothing) == "–"
    alone = OLD.model_copy(update={"observed": 0.5, "interval": (None, None)})
    assert "NaN" not in interval_plot(alone)
    assert "None" not in interval_plot(alone)
    assert interval(alone) == "n = 3"


def test_every_claim_is_a_row_and_a_fold() -> None:
    table = rows(claims_html([OLD, BOTH, one("smoke")]))
    bodies = table.findall(".//tbody")
    assert [len(body.findall("tr")) for body in bodies] == [2, 2, 2]
    heads = [th.text for th in table.findall(".//thead//th")]
    for body in bodies:
        row = body.find("tr")
        assert row is not None
        assert [td.get("data-label") for td in row.findall("td")] == heads[1:]
        assert len(body.findall(".//details")) == 1
    assert [len(body.findall(".//svg")) for body in bodies] == [1, 2, 0]
    assert all(svg.get("aria-label") for svg in table.iter("svg"))


def test_the_fold_holds_all_that_the_verdict_rests_on() -> None:
    fold = rows(details_html(BOTH))
    lines = [
        (dt.text, "".join(dd.itertext()))
        for dt, dd in zip(fold.iter("dt"), fold.iter("dd"), strict=True)
    ]
    said = {}
    for term, text in lines:
        said.setdefault(term, []).append(text)
    assert said["Where"] == ["Fig. 1"]
    assert said["Margin"] == ["ours: <half>"]
    assert said["Gate"] == ["holds: accuracy before: 1, at least 0.5"]
    assert said["Seeds"][0] == "rise: 5 of 5 agree (0.9, 1, 1.1, 1.05, 0.95)"
    assert said["Seeds"][1].startswith("wide: 3 of 5 agree")
    assert said["Control"][1].startswith("wide: 0 [")
    assert re.fullmatch(r"\d+ of 500 runs, simulated around the control, pass",
                        said["Without effect"][0])  # fmt: skip
    assert said["Exact algorithm"] == ["none in this run"]
    assert said["Power"][0].endswith("for an effect of 1 and 1 at this run's noise")
    assert said["Further check"][0].startswith("stays low: 1 [")
    assert said["Further check"][0].endswith("not reproduced; decides nothing")
    assert "Where" not in details_html(BOTH, where=False)


def test_the_fold_of_the_first_edition_lists_parts() -> None:
    fold = details_html(OLD)
    assert "<dd>one: 0.2 [0.2, 0.2] ≥ 0.5, not reproduced</dd>" in fold
    assert "<dd>two: 0.9 [0.9, 0.9] ≥ 0.5, reproduced</dd>" in fold
    assert "first edition" in fold


def test_what_is_open_says_what_would_decide() -> None:
    html = claims_html([BOTH])
    assert f"about {BOTH.needed} seeds would decide" in html
    assert "required" in html
    never = claims_html([BOTH.model_copy(update={"needed": None})])
    assert "more than 10,000 seeds would decide" in never
    assert "decided at check, reference and authors" in claims_html([one("smoke")])


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.8, "0.80"), (0.79, "0.79 <br><small>low</small>")]
)
def test_low_power_is_marked(value: float | None, text: str) -> None:
    assert power(BOTH.model_copy(update={"power": value})) == text


def test_a_rule_that_passes_without_an_effect_is_marked() -> None:
    for passing, marked in ((35, False), (36, True)):
        record = BOTH.model_copy(update={"false_positive": passing / 500})
        assert record.unsound is marked
        assert ("passes too often" in claims_html([record])) is marked


def test_a_check_of_code_is_called_so() -> None:
    record = one(primary=lambda data: within_tolerance(1e-9, 1e-6), kind="check of code")
    html = claims_html([record])
    assert "check of code" in html
    assert "deterministic" in html
    assert interval(record) == "[1e-09, 1e-09], n = 1"


def test_a_terminal_shows_one_line_per_claim() -> None:
    text = claims_text([OLD, one()])
    assert text.splitlines() == [
        "C0  partly reproduced  0.2 (threshold ≥ 0.5)  A < B",
        "C1  reproduced  1 (margin ≥ 0.5)  It rises.",
    ]
