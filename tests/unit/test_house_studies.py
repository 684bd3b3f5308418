"""The floor plan: what a study holds, what things are called, how near its networks are."""

import ast
import re
from pathlib import Path

import pytest
import torch
from frames import frames_to_product
from torch import nn

from synthcore.nn.gpt import GPT, GPTConfig

PACKAGE = Path(__file__).parents[2] / "synthcore"
STUDIES = PACKAGE / "studies"
EXPLORERS = PACKAGE / "explorers"

# Studies laid out as the first edition's were. The list only shrinks.
FIRST_EDITION = {
    "concept_space",
    "representation_shattering",
}
ENTRIES = {
    *("__init__", "config", "task", "theory", "model", "experiments"),
    *("measure", "claims", "controls", "figures", "command"),
}
FOLDERS = {"task", "theory", "experiments", "measure", "claims", "figures"}
MOST_MODULES = 15
LARGER = {
    "compositional_capabilities": 20,
    "concept_space": 20,
    "finetuning_wrappers": 20,
    "forking_paths": 20,
    "percolation": 20,
    "stepwise_inference": 20,
}


def studies() -> dict[str, Path]:
    return {path.name: path for path in STUDIES.iterdir() if (path / "__init__.py").exists()}


def second_edition() -> list[str]:
    return sorted(studies().keys() - FIRST_EDITION)


def faults(study: Path) -> list[str]:
    """What a study holds and should not, or has too much of."""
    found = []
    for path in sorted(study.iterdir()):
        if path.name == "__pycache__":
            continue
        if path.stem not in ENTRIES or (path.is_dir() and path.name not in FOLDERS):
            found.append(f"{path.name} is no entry of a study")
    for folder in ("experiments", "figures"):
        if not (study / folder).is_dir():
            found.append(f"{folder}/ is missing")
    modules = [path for path in study.rglob("*.py") if path.name != "__init__.py"]
    most = LARGER.get(study.name, MOST_MODULES)
    if len(modules) > most:
        found.append(f"{len(modules)} modules are more than {most}")
    return found


@pytest.mark.parametrize("name", second_edition())
def test_a_study_holds_the_same_entries_as_every_other(name: str) -> None:
    assert faults(studies()[name]) == []


@pytest.mark.parametrize("name", sorted(FIRST_EDITION))
def test_the_list_of_first_edition_studies_shrinks(name: str) -> None:
    assert faults(studies()[name]), f"{name} has the floor plan: take it off FIRST_EDITION"


@pytest.mark.parametrize("name", second_edition())
def test_every_variable_of_a_dataset_is_found_where_it_is_made(name: str) -> None:
    """No name of a variable is put together, as in `f"small_{name}"`."""
    assert {
        f"{path.relative_to(STUDIES)}:{line}"
        for path in studies()[name].rglob("*.py")
        for line in composed_names(path.read_text())
    } == set()


def composed_names(source: str) -> list[int]:
    """Lines on which a key or an index is an identifier that is put together."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        keys: list[ast.expr | None] = []
        if isinstance(node, ast.Dict):
            keys = list(node.keys)
        elif isinstance(node, ast.DictComp):
            keys = [node.key]
        elif isinstance(node, ast.Subscript):
            keys = [node.slice]
        for key in keys:
            if isinstance(key, ast.JoinedStr):
                text = "".join(str(p.value) for p in key.values if isinstance(p, ast.Constant))
                if re.fullmatch(r"[a-z0-9_]*_[a-z0-9_]*", text):
                    lines.append(key.lineno)
    return lines


def test_composed_names_are_seen() -> None:
    assert composed_names('data[f"small_{name}"]\nx = {f"{a}_rate": 1}\n') == [1, 2]
    assert composed_names('seen[f"blocks.{b}.attn.hook_z"]\nd = {"a_b": f"{a}_b"}\n') == []


def test_hook_points_have_the_names_of_hook_points() -> None:
    """`hook_` and a word, so that a search for an activation finds it in every network."""
    other = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Assign) or "HookPoint()" not in ast.unparse(node.value):
                continue
            for target in (t for many in node.targets for t in getattr(many, "elts", [many])):
                if not ast.unparse(target).startswith("self.hook_"):
                    other.append(f"{path.relative_to(PACKAGE)}: {ast.unparse(target)}")
    assert other == []


def test_an_explorer_is_a_folder() -> None:
    """Its class, what computes, what draws, how it looks; only the base class stands beside."""
    assert {path.name for path in EXPLORERS.glob("*.*")} == {"__init__.py", "base.py"}
    for folder in EXPLORERS.iterdir():
        if not folder.is_dir() or folder.name in {"shared", "__pycache__"}:
            continue
        names = {path.name for path in folder.iterdir()}
        assert {"__init__.py", "style.css"} <= names, folder.name
        used = re.findall(r'"(\w+)/[\w.]+\.(?:js|css)"', (folder / "__init__.py").read_text())
        assert set(used) == {folder.name, "shared"}
        bundled = set(
            re.findall(r'"(\w+/[\w.]+\.(?:js|css))"', (folder / "__init__.py").read_text())
        )
        browser = {f"{folder.name}/{name}" for name in names if name.endswith((".js", ".css"))}
        assert browser <= bundled, f"{folder.name} holds what it does not use"


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = GPT(GPTConfig(5, 8, 8, 1, 2), [0])

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.network(tokens) + self.network(tokens)


def test_frames_are_counted_from_the_call_to_the_product() -> None:
    tokens = torch.zeros(1, 2, 4, dtype=torch.long)
    frames = frames_to_product(lambda: torch.eye(2) @ torch.eye(2) + Twice()(tokens).sum())
    assert frames[0] == "nn/gpt.py GPT.forward"
    assert frames[-1] == "nn/population.py Linear.forward"
    assert 3 <= len(frames) <= 5
    with torch.no_grad(), pytest.raises(AssertionError, match="no network"):
        frames_to_product(lambda: Twice()(tokens), learning=True)
    with pytest.raises(AssertionError, match="no network"):
        frames_to_product(lambda: torch.eye(2) @ torch.eye(2))
