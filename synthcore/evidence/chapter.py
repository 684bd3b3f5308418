"""What a notebook talks to: the same calls live in Jupyter and under the runner.

The runner sets SYNTHCORE_RUN_DIR, SYNTHCORE_SCALE and SYNTHCORE_ROOT. Without a run directory
nothing is written and everything is shown.

Cells say by tags how the site shows them: `hide-input` folds code that only draws or states away
below what it drew, `exercise` marks a blank with its check, and `solution`, with `hide-cell`, the
folded cell after it. The cell of parameters has `hide-input` too where `Chapter.parameters` shows
them as tables.
"""

import base64
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from IPython.display import display
from matplotlib import pyplot
from matplotlib.figure import Figure

from synthcore.config import StudyConfig
from synthcore.evidence import first_edition, settings
from synthcore.evidence.agreement import WITHIN, WITHIN_ELSEWHERE, agreement
from synthcore.evidence.claim import Claim
from synthcore.evidence.dataset import packed
from synthcore.evidence.decide import claim_records
from synthcore.evidence.defaults import CHANGED, changed_parameters
from synthcore.evidence.difference_table import difference_html, difference_text
from synthcore.evidence.files import find_root, write_atomic
from synthcore.evidence.legibility import PIXELS_PER_INCH, faults
from synthcore.evidence.parameter_table import parameter_tables, parameter_text
from synthcore.evidence.picture import cut, draw
from synthcore.evidence.record import RESULTS_NAME, Record, verify_file
from synthcore.evidence.source import source_of
from synthcore.evidence.table import claims_html, claims_text
from synthcore.stages.run_progress import run_progress
from synthcore.stages.stage import Stage
from synthcore.stages.store import write_result

if TYPE_CHECKING:
    import pandas as pd

RECORDED_SCALES = ("authors", "reference")


class Chapter:
    """One chapter's connection to the run it is part of."""

    def __init__(self, study: str, config: StudyConfig) -> None:
        self.study = study
        self.config = config
        self.scale = os.environ.get("SYNTHCORE_SCALE", "check")
        directory = os.environ.get("SYNTHCORE_RUN_DIR")
        self.directory = Path(directory) if directory else None
        self._ids: set[str] = set()
        self._results: dict[str, float] = {}
        self._sources: dict[str, Any] = {}
        self.progress = run_progress(self.directory)
        if self.directory is None:
            print(config.device_note)
            if self.scale == "check" and (changed := changed_parameters(study, config)):
                self.scale += CHANGED
                print(f"Scale {self.scale} ({', '.join(changed)}): no claim is required to hold.")

    def stage(self, stage: Stage[Any]) -> xr.Dataset:
        """The dataset of a stage with this run's parameters, computed or found; kept with the run
        as `stages/<name>.nc`.

        Says where it came from in a notebook, and on the page if code has changed since a shipped
        result was computed. Raises what `Stage.obtain` raises.
        """
        obtained = stage.obtain(self.config, self.progress)
        if self.directory is None:
            print(f"{stage.name}: {obtained.sentence}")
        else:
            write_result(
                self.directory / "stages" / f"{stage.name}.nc", obtained.data, obtained.about
            )
            self._sources[stage.name] = {
                "source": obtained.source,
                "computed": list(obtained.computed),
                "changed": list(obtained.changed),
                "cpu_seconds": obtained.about.cpu_seconds,
            }
            write_atomic(self.directory / "stages.json", json.dumps(self._sources, indent=1))
        if obtained.changed:
            modules = ", ".join(f"`{Path(path).name}`" for path in obtained.changed)
            _show_markdown(
                f"*The result of `{stage.name}` is of {obtained.about.created[:10]}; since then "
                f"the code of {modules} has changed.*"
            )
        return obtained.data

    def save(self, data: xr.Dataset, name: str = "data") -> None:
        """Keep the dataset with the run as `<name>.nc`, large variables compressed."""
        if self.directory is None:
            return
        encoding = packed(data)
        data.to_netcdf(self.directory / f"{name}.nc", engine="h5netcdf", encoding=encoding)

    def figure(
        self,
        fig: Figure,
        *,
        id: str,
        caption: str,
        alt: str,
        source: Callable[..., Any] | None = None,
    ) -> None:
        """Show a figure with its caption, text alternative and source, keep it, close it.

        `source` is the function that drew it: below the figure its code unfolds. Such a figure is
        shown as wide as it is drawn, on pages light and dark, so it may have at most 7 inches, two
        panels in a row and no text below 8 points; ValueError says what cannot be read.

        In a run, not in its rehearsal, a figure is drawn once more for narrow screens, where that
        differs.
        """
        self._new_id(id)
        about: dict[str, Any] = {"id": id, "caption": caption, "alt": alt}
        shown: dict[str, Any] = {"synthcore": about}
        if source is not None:
            if found := faults(fig):
                raise ValueError(f"Figure {id!r} cannot be read: {'; '.join(found)}.")
            about["width"] = round(PIXELS_PER_INCH * fig.get_figwidth())
            shown["image/png"] = {"width": about["width"]}
        every = self.directory is not None and not self.progress.rehearsing
        pictures = draw(fig, themed=source is not None, every=every)
        pyplot.close(fig)
        self._keep(id, pictures["wide"])
        about |= {name: _text(png) for name, png in pictures.items() if name != "wide"}
        _show({"image/png": _text(pictures["wide"]), "text/plain": alt}, shown)
        self._show_caption(id, caption)
        self._show_source(id, source)

    def explorer(
        self,
        widget: Any,
        *,
        id: str,
        caption: str,
        alt: str,
        still: Figure,
        source: Callable[..., Any] | None = None,
    ) -> None:
        """Show an interactive widget; `still` stands for it in print or without widgets.

        `source` is the function that made the widget from data: below it, its code unfolds.
        """
        self._new_id(id)
        png = cut(still)
        pyplot.close(still)
        self._keep(id, png)
        about = {"synthcore": {"id": id, "caption": caption, "alt": alt, "explorer": True}}
        view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
        bundle = {
            "application/vnd.jupyter.widget-view+json": view,
            "image/png": _text(png),
            "text/plain": alt,
        }
        _show(bundle, about)
        self._show_caption(id, caption)
        self._show_source(id, source)

    def same(self, left: Any, right: Any, within: float | None = None) -> None:
        """Show that two numbers, arrays or tensors agree, entry by entry.

        `within` is the largest difference allowed, in the unit of the numbers; by default 1e-4 on a
        CPU and 1e-2 elsewhere. Raises AssertionError, which shows both, if they do not agree.
        """
        if within is None:
            on_cpu = self.config.torch_device.type == "cpu"
            within = WITHIN if on_cpu else WITHIN_ELSEWHERE
        _show_markdown(agreement(left, right, within), {"synthcore": {"same": True}})

    def parameters(self, first: Sequence[str]) -> None:
        """Show the parameters that a reader turns first (at most six), and all of them, folded.

        Raises ValueError if `first` is empty, too long, or names a parameter that there is not.
        """
        html = parameter_tables(self.config, first)
        bundle = {"text/html": html, "text/plain": parameter_text(self.config)}
        _show(bundle, {"synthcore": {"parameters": True}})

    def differences(self) -> None:
        """Show how this run's settings differ from the paper's and why, as its sources say."""
        rows = settings.rows(self.study, self.config)
        html = difference_html(rows, settings.files(self.study))
        _show({"text/html": html, "text/plain": difference_text(rows)})

    def card(self, answer: str, **values: Any) -> None:
        """Show the chapter's answer in two or three sentences whose numbers are computed.

        `answer` is a template as in `text`. On the site it stands in the card below the title,
        with paper, question, verdicts and where the run comes from.
        """
        text = _fill(answer, values)
        _show_markdown(f"> **Answer.** {text}", {"synthcore": {"answer": text}})

    def claims(
        self, claims: Iterable[Claim | first_edition.Claim], data: xr.Dataset | xr.DataTree
    ) -> None:
        """Decide every claim at this run's scale, keep the verdicts, show the table."""
        records = claim_records(claims, data, self.scale)
        if self.directory is not None:
            content = [record.model_dump(mode="json") for record in records]
            write_atomic(self.directory / "claims.json", json.dumps(content, indent=1))
        bundle = {"text/html": claims_html(records), "text/plain": claims_text(records)}
        _show(bundle, {"synthcore": {"claims": True}})

    def text(self, template: str, **values: Any) -> None:
        """Show prose whose numbers are computed: `text("It took {n:.0f} steps.", n=data.n)`."""
        _show_markdown(_fill(template, values))

    def results(self, **numbers: float) -> None:
        """Keep named numbers with the run: the columns of a table over many runs.

        Calls add up. Raises ValueError for a name that is a parameter's or was given before; live,
        a cell may be run again.
        """
        for name, number in numbers.items():
            again = self.directory is not None and name in self._results
            if name in type(self.config).model_fields or again:
                raise ValueError(f"The name of the result {name!r} is taken.")
            self._results[name] = float(number)
        if self.directory is not None:
            finite = {n: x if math.isfinite(x) else None for n, x in self._results.items()}
            write_atomic(self.directory / RESULTS_NAME, json.dumps(finite, indent=1))

    def recorded(self, scale: str | None = None) -> xr.Dataset | None:
        """A larger run's data (of `authors` before `reference`), or None if there is none.

        Raises DamagedRecord if its files do not match their checksums.
        """
        found = self._recorded(scale)
        if found is None:
            return None
        record, path = found
        verify_file(path, record.data[0].sha256)
        data: xr.Dataset = xr.load_dataset(path, engine="h5netcdf")
        return data

    def recorded_note(self, scale: str | None = None) -> None:
        """Show which machine, when and with which parameters the recorded run was made."""
        found = self._recorded(scale)
        if found is None:
            told = "No larger run of this study has been recorded yet"
            if _project() is None:
                told = "Larger runs come with the project, in which this notebook is not run"
            _show_markdown(f"*{told}.*")
            return
        record, _ = found
        held = sum(claim.verdict == "reproduced" for claim in record.claims)
        names = ", ".join(f"`{name}={value}`" for name, value in record.parameters.items())
        _show_markdown(
            f"Recorded run at scale *{record.scale}*: {record.started[:10]}, {record.device}, "
            f"{record.seconds / 60:.1f} minutes, {held} of {len(record.claims)} claims "
            f"reproduced, with {names}."
        )

    def sweep(self, name: str) -> "pd.DataFrame | None":
        """The table of a recorded sweep, a row per run, or None if there is none."""
        path = self._kept(f"{name}.csv")
        if path is None:
            return None
        import pandas as pd

        return pd.read_csv(path)

    def sweep_note(self, table: "pd.DataFrame", name: str) -> None:
        """Show what a recorded sweep took, and how to repeat it."""
        _show_markdown(
            f"Recorded sweep *{name}*: {len(table)} runs, {table.started.max()[:10]}, "
            f"{table.device_name[0]}, {table.cpu_seconds.sum() / 60:.0f} minutes of CPU time in "
            f"all; again with `synthcore sweep {self.study} --scale {table.scale[0]} "
            f"--sweep-file notebooks/sweeps/{name}/{self.study}.yaml --out sweeps/{name}`."
        )

    def _recorded(self, scale: str | None) -> tuple[Record, Path] | None:
        for name in (scale,) if scale else RECORDED_SCALES:
            if path := self._kept(f"{name}.json"):
                return Record.read(path), path.with_suffix(".nc")
        return None

    def _kept(self, name: str) -> Path | None:
        """A file of the study in `book/reference`, if it is there."""
        base = _project()
        path = base / "book" / "reference" / self.study / name if base else None
        return path if path and path.is_file() else None

    def _new_id(self, id: str) -> None:
        """Under the runner ids must differ; live, a cell may be run again."""
        if self.directory is not None and id in self._ids:
            raise ValueError(f"Two figures have the id {id!r}.")
        self._ids.add(id)

    def _keep(self, id: str, png: bytes) -> None:
        if self.directory is not None:
            write_atomic(self.directory / "figures" / f"{id}.png", png)

    def _show_caption(self, id: str, caption: str) -> None:
        """The live caption; on the site the figure's own caption takes its place."""
        _show_markdown(f"*{caption}*", {"synthcore": {"caption_of": id}})

    def _show_source(self, id: str, function: Callable[..., Any] | None) -> None:
        if function is not None:
            source = source_of(function)
            bundle = {"text/html": source.html(), "text/plain": f"Source: {source.place}"}
            _show(bundle, {"synthcore": {"source_of": id}})


def _project() -> Path | None:
    """The project's folder: the runner's, one around the notebook, or one around this package."""
    root = os.environ.get("SYNTHCORE_ROOT")
    return Path(root) if root else find_root() or find_root(Path(__file__).parent)


def _show(bundle: dict[str, Any], about: dict[str, Any] | None = None) -> None:
    display(bundle, raw=True, metadata=about)  # type: ignore[no-untyped-call]


def _show_markdown(text: str, about: dict[str, Any] | None = None) -> None:
    _show({"text/markdown": text, "text/plain": text}, about)


def _fill(template: str, values: Mapping[str, Any]) -> str:
    """The template with numbers in it; arrays and tensors of one element count as numbers."""
    plain = {name: value.item() if _is_scalar(value) else value for name, value in values.items()}
    return template.format(**plain)


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()


def _is_scalar(value: Any) -> bool:
    return getattr(value, "size", None) == 1 and hasattr(value, "item")
