"""From an executed notebook to the page's notebook.

The executed outputs are joined with the source's current prose, figures become captioned figures
with a text alternative, explorers gain a still for print, and the header card follows the title.
What narrow screens and dark pages show in a figure's place are files beside the pages.
"""

import base64
import copy
import html
import struct
from collections.abc import Iterator
from typing import Any

from synthcore.press.errors import Failed
from synthcore.press.notebooks import KERNELSPEC, make, number_cells, without_injected

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
NO_CODE = "# nothing to run here"  # MyST-NB drops cells without any source, outputs and all
FOLDS = {
    "parameters": "Parameters as code",
    "solution": "Solution",
}
PICTURES = ("narrow", "dark", "dark-narrow")
SHOWN = 0.64  # screen pixels per pixel of a figure: letters of eight points are ten pixels high


def page_notebook(study: str, executed: Any, source: Any, card: str) -> Any:
    """The notebook as the site shows it."""
    page = make.new_notebook(metadata=copy.deepcopy(executed.metadata))
    cells = [
        staged for cell in _current(study, executed, source) for staged in _staged(study, cell)
    ]
    titles = [index for index, cell in enumerate(cells) if cell.cell_type == "markdown"]
    cells.insert(titles[0] + 1 if titles else 0, make.new_markdown_cell(card))
    page.cells = cells
    return number_cells(page)


def further_pictures(study: str, executed: Any) -> dict[str, bytes]:
    """Pictures for narrow screens and dark pages: `dark/toy-line` for the figure `toy-line`."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    notes = [output.get("metadata", {}).get("synthcore", {}) for output in outputs]
    return {
        f"{kind}/{_figure_name(study, about)}": base64.b64decode(about[kind])
        for about in notes
        for kind in PICTURES
        if kind in about
    }


def answer(executed: Any) -> str:
    """What `Chapter.card` said: the chapter's answer, for the card; empty if it gave none."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    notes = [output.get("metadata", {}).get("synthcore", {}) for output in outputs]
    return next((" ".join(about["answer"].split()) for about in notes if "answer" in about), "")


def explorer_cells(executed: Any, explorer: str) -> tuple[Any, dict[str, Any]]:
    """A code cell that shows one explorer of an executed notebook, and its widget state."""
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            about = output.get("metadata", {}).get("synthcore", {})
            if about.get("explorer") and about["id"] == explorer:
                shown = _outputs_only([_live(output), _still(output, about)])
                state = executed.metadata["widgets"][WIDGET_STATE]
                model = output.data[WIDGET_VIEW]["model_id"]
                return shown, {WIDGET_STATE: {**state, "state": _needed(state["state"], model)}}
    raise Failed(f"No explorer '{explorer}' in the executed notebook.")


def prose_with_explorer(text: str, marker: str, shown: Any, state: dict[str, Any]) -> Any:
    """A prose page as a notebook: the explorer stands where its marker stood."""
    before, _, after = text.partition(marker)
    page = make.new_notebook(metadata={"kernelspec": KERNELSPEC, "widgets": state})
    page.cells = [
        make.new_markdown_cell(before.strip()),
        shown,
        make.new_markdown_cell(after.strip()),
    ]
    return number_cells(page)


def _current(study: str, executed: Any, source: Any) -> Iterator[Any]:
    """The source's cells, prose and code as they are now, with the outputs of the run.

    There is no cell of injected parameters: whoever downloads or launches the page's notebook would
    change values above it in vain.
    """
    ran = [cell for cell in without_injected(executed).cells if cell.cell_type == "code"]
    if len(ran) != sum(cell.cell_type == "code" for cell in source.cells):
        raise Failed(f"notebooks/{study}.py has other code cells than its run: run it again.")
    outputs = iter(ran)
    for cell in source.cells:
        cell = copy.deepcopy(cell)
        if cell.cell_type == "code":
            old = next(outputs)
            cell.outputs, cell.execution_count = copy.deepcopy(old.outputs), old.execution_count
        yield cell


def _staged(study: str, cell: Any) -> Iterator[Any]:
    """One cell, with what `Chapter` noted in its outputs turned into what the site understands.

    MyST-NB wraps all outputs of a cell that has a figure, so every figure needs a cell of its own:
    the outputs are spread over the cell and, below it, cells that show no code.
    """
    if cell.cell_type != "code":
        yield cell
        return
    _name_fold(cell)
    outputs, cell.outputs = cell.outputs, []
    current, taken = cell, False
    for output in outputs:
        about = output.get("metadata", {}).pop("synthcore", {})
        if "caption_of" in about or "answer" in about:  # said in the figure, said in the card
            continue
        if taken or ("alt" in about and current.outputs):
            yield current
            current, taken = _below(cell), False
        if about.get("explorer"):
            current.outputs = [_live(output), _still(output, about), _caption(about)]
            taken = True
        elif "alt" in about:
            figure = {"name": _figure_name(study, about), "caption": about["caption"]}
            width = about.get("width") or _width(output) * SHOWN
            image = {"alt": about["alt"], "width": f"{width:.0f}px"}
            current.metadata.setdefault("mystnb", {}).update(figure=figure, image=image)
            current.outputs = [output]
            taken = True
        else:
            current.outputs.append(output)
    if outputs and not cell.outputs and "hide-input" in cell.metadata.get("tags", []):
        cell.metadata["tags"].append("remove-cell")  # what it showed stands elsewhere
    yield current


def _name_fold(cell: Any) -> None:
    """Say on the fold of a hidden cell what is behind it."""
    tags = set(cell.metadata.get("tags", []))
    if tags & {"hide-input", "hide-cell"}:
        name = next((FOLDS[tag] for tag in FOLDS if tag in tags), "Code")
        prompts = {"code_prompt_show": name, "code_prompt_hide": name}
        cell.metadata["mystnb"] = prompts | cell.metadata.get("mystnb", {})


def _figure_name(study: str, about: dict[str, Any]) -> str:
    return f"{study}-{about['id']}"


def _width(output: Any) -> int:
    """Pixels from left to right of an output's PNG: the first number of its header."""
    header = base64.b64decode(output.data["image/png"])[16:20]
    return int(struct.unpack(">I", header)[0])


def _below(cell: Any) -> Any:
    """A cell for further outputs of `cell`; where that is hidden, these are too."""
    tags = set(cell.metadata.get("tags", []))
    kept = {"hide-output"} if tags & {"hide-cell", "hide-output"} else set()
    kept |= tags & {"remove-cell", "remove-output"}
    below = make.new_code_cell(NO_CODE, execution_count=cell.execution_count)
    below.metadata["tags"] = sorted(kept | {"remove-input"})
    return below


def _outputs_only(outputs: list[Any]) -> Any:
    """A code cell that shows outputs but no code."""
    return make.new_code_cell(NO_CODE, outputs=outputs, metadata={"tags": ["remove-input"]})


def _live(output: Any) -> Any:
    """The widget alone: the page's still is an output of its own."""
    return make.new_output("display_data", data={WIDGET_VIEW: output.data[WIDGET_VIEW]})


def _still(output: Any, about: dict[str, Any]) -> Any:
    """A picture for print and for browsers without scripts."""
    alt = html.escape(about["alt"], quote=True)
    png = "".join(output.data["image/png"].split())
    picture = (
        f'<div class="explorer-still"><img alt="{alt}" src="data:image/png;base64,{png}"></div>'
        "<noscript><style>.explorer-still { display: block; }</style></noscript>"
    )
    return make.new_output("display_data", data={"text/html": picture, "text/plain": about["alt"]})


def _caption(about: dict[str, Any]) -> Any:
    """The caption of an explorer, which unlike a figure has none of its own."""
    text = f":::{{div}} explorer-caption\n{about['caption']}\n:::"
    return make.new_output("display_data", data={"text/markdown": text})


def _needed(state: dict[str, Any], model: str) -> dict[str, Any]:
    """The model and, through `IPY_MODEL_` references, every model it needs."""
    needed: dict[str, Any] = {}
    todo = [model]
    while todo:
        current = todo.pop()
        if current in needed or current not in state:
            continue
        needed[current] = state[current]
        text = str(state[current]["state"])
        todo += [other for other in state if f"IPY_MODEL_{other}" in text]
    # links belong to no view: keep those whose ends are all kept
    for name, item in state.items():
        if item["model_name"] in ("LinkModel", "DirectionalLinkModel") and name not in needed:
            ends = [item["state"][end][0] for end in ("source", "target")]
            if all(end.removeprefix("IPY_MODEL_") in needed for end in ends):
                needed[name] = item
    return needed
