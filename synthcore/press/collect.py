"""One tidy table of many runs: a row per run; parameters, verdicts and results as columns."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthcore.config import nearest
from synthcore.evidence.files import write_atomic
from synthcore.evidence.record import RECORD_NAME, Record
from synthcore.press.errors import Refused
from synthcore.press.folders import is_result

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".parquet")
PLOT_WORDS = ("x", "y", "hue", "style")


def read_records(folder: Path) -> dict[str, Record]:
    """Name of the run's folder -> its record. Raises Refused if there is none, DamagedRecord."""
    records = {
        path.parent.name: Record.read(path)
        for path in sorted(folder.glob(f"*/{RECORD_NAME}"))
        if is_result(path.parent)
    }
    if not records:
        raise Refused(f"{folder} holds no finished run.")
    return records


def row(name: str, record: Record) -> dict[str, Any]:
    """One run: lists of values are JSON text, so that every cell is a number or text.

    A claim gives `<id>_verdict`, `<id>_observed`, `<id>_low`, `<id>_high` and `<id>_threshold`;
    a part of a claim the same without a verdict of its own, under `<id>: <label>`.
    """
    cells: dict[str, Any] = {
        "run": name,
        "study": record.study,
        "scale": record.scale,
        **{k: json.dumps(v) if isinstance(v, list) else v for k, v in record.parameters.items()},
        **{name: _number(value) for name, value in record.results.items()},
    }
    for claim in record.claims:
        cells[f"{claim.id}_verdict"] = claim.verdict
        cells |= _numbers(claim.id, claim.model_dump(mode="json"))
        for part in claim.parts:
            cells |= _numbers(f"{claim.id}: {part['label']}", part)
    return cells | {
        "device_name": str(record.device),
        "started": record.started,
        "seconds": record.seconds,
        "cpu_seconds": record.cpu_seconds,
        "peak_rss_mb": record.peak_rss_mb,
        "code": f"sha256:{record.code.digest}",  # digits alone would be read as a number
    }


def _numbers(name: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    low, high = claim["interval"]
    return {
        f"{name}_observed": _number(claim["observed"]),
        f"{name}_low": _number(low),
        f"{name}_high": _number(high),
        f"{name}_threshold": _number(claim["threshold"]),
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _text(value: Any) -> str | None:
    return None if value != value else json.dumps(value)  # NaN: this run has no such value


def table(records: Mapping[str, Record]) -> "pd.DataFrame":
    """All runs, a row each, ordered by the parameters that vary."""
    import pandas as pd

    frame = pd.DataFrame([row(name, record) for name, record in records.items()])
    for name in frame.select_dtypes(object):  # a number in one study, a list in another
        if frame[name].dropna().map(type).nunique() > 1:
            frame[name] = [x if isinstance(x, str) or x is None else _text(x) for x in frame[name]]
    return frame.sort_values([*varying(records), "run"], ignore_index=True)


def one_study(records: Mapping[str, Record]) -> str:
    """The study that all runs are of. Raises Refused if there are several."""
    names = sorted({record.study for record in records.values()})
    if len(names) > 1:
        raise Refused(f"These runs are of several studies: {', '.join(names)}.")
    return names[0]


def varying(records: Mapping[str, Record]) -> list[str]:
    """Parameters that are not the same in all runs."""
    names = dict.fromkeys(name for record in records.values() for name in record.parameters)
    values = {
        name: {json.dumps(record.parameters.get(name)) for record in records.values()}
        for name in names
    }
    return [name for name in names if len(values[name]) > 1]


def write_tables(frame: "pd.DataFrame", paths: Sequence[Path]) -> None:
    """As CSV or Parquet, by the suffix; all made before the first is written."""
    made: dict[Path, bytes] = {}
    for path in paths:
        if path.suffix not in TABLE_SUFFIXES:
            raise Refused(f"{path} must end in {' or '.join(TABLE_SUFFIXES)}.")
        stream = io.BytesIO()
        if path.suffix == ".csv":
            frame.to_csv(stream, index=False)
        else:
            frame.to_parquet(stream, index=False)
        made[path] = stream.getvalue()
    for path, content in made.items():
        write_atomic(path, content)


def read_plot(words: list[str], frame: "pd.DataFrame") -> dict[str, str]:
    """`["x=width", "y=C1_observed"]` as a mapping, every column checked. Raises Refused."""
    chosen: dict[str, str] = {}
    for word in words:
        key, _, column = word.partition("=")
        if key not in PLOT_WORDS:
            raise Refused(f"A plot has {', '.join(PLOT_WORDS)}, not '{key}'.")
        if column not in frame:
            raise Refused(f"There is no column '{column}'. {nearest(column, frame.columns)}")
        chosen[key] = column
    for key in ("x", "y"):
        if key not in chosen:
            raise Refused(f"A plot needs {key}=COLUMN.")
    return chosen


def draw(frame: "pd.DataFrame", chosen: Mapping[str, str], path: Path) -> None:
    """Mean and 95 % interval over runs that differ in nothing shown, single runs as dots. PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import seaborn as sns
    from matplotlib import pyplot as plt
    from pandas.api.types import is_numeric_dtype

    x, y = chosen["x"], chosen["y"]
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    palette = "colorblind" if "hue" in chosen else None
    if is_numeric_dtype(frame[x]):
        sns.lineplot(frame, **chosen, ax=axes, palette=palette, errorbar=("ci", 95))
        sns.scatterplot(frame, **chosen, ax=axes, palette=palette, legend=False, s=14)
        values = frame[x].dropna()
        if values.min() > 0 and values.max() >= 16 * values.min():
            axes.set_xscale("log", base=2)
    else:
        kept = {key: column for key, column in chosen.items() if key != "style"}
        sns.pointplot(frame, **kept, ax=axes, palette=palette, errorbar=("ci", 95))
    axes.set(xlabel=x, ylabel=y)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=144)
    plt.close(figure)
    write_atomic(path, stream.getvalue())
