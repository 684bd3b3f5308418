"""What a result depends on: code by its meaning, imports by static reading, machine and versions.

Comments, blank lines and prose do not count: a hash is taken over syntax trees. Nothing is imported
or run to find out.
"""

import ast
import json
import os
import platform
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from synthcore.evidence.files import read_text, sha256

PACKAGE = "synthcore"
LIBRARIES = (
    *("synthcore", "torch", "numpy", "scipy", "xarray", "h5netcdf", "matplotlib", "seaborn"),
    *("pydantic", "anywidget", "ipywidgets", "ipykernel", "jupytext", "papermill"),
)
BROWSER_FILES = (".js", ".css")


def code_hash(path: Path) -> str:
    """Digest of a module's or notebook's syntax trees, or of a browser file's bytes."""
    if path.suffix in BROWSER_FILES:
        return sha256(path)
    with _named(path):
        return hash_cells(notebook_code(path) if _is_notebook(path) else [read_text(path)])


def parse(path: Path) -> ast.Module:
    """The syntax tree of a module. Raises SyntaxError naming its file."""
    with _named(path):
        return ast.parse(read_text(path))


def hash_cells(cells: Iterable[str]) -> str:
    """Digest of a list of code cells; a closing semicolon counts, since it hides output."""
    parts = [(cell.rstrip().endswith(";"), ast.dump(_parse(cell))) for cell in cells]
    return sha256(json.dumps(parts).encode())


def notebook_code(path: Path) -> list[str]:
    """Sources of the code cells of a jupytext notebook."""
    import jupytext

    notebook = jupytext.reads(read_text(path), {"extension": path.suffix})
    return [str(cell.source) for cell in notebook.cells if cell.cell_type == "code"]


def meaning_hash(path: Path) -> str:
    """Digest of what a module computes: of its syntax tree without docstrings and without
    `description=` arguments, which say what a parameter means. Equal on every version of Python.
    """
    return _meaning_hash(path, path.stat().st_mtime_ns)


@cache
def _meaning_hash(path: Path, changed: int) -> str:
    return sha256(json.dumps(_meaning(parse(path))).encode())


def import_closure(path: Path, root: Path, without: Container[str] = ()) -> list[Path]:
    """Files of the `synthcore` under `root` that `path` imports, directly or not, sorted.

    Includes package `__init__` files and the `.js` and `.css` files that explorers name. Imports
    inside functions count. Rooms (`synthcore.<room>`) in `without` are not looked into.
    """
    todo, found = [path], set[Path]()
    while todo:
        current = todo.pop()
        for module in _imports(current, root):
            if module.split(".")[1:2] and module.split(".")[1] in without:
                continue
            for file in _files(module, root):
                if file not in found:
                    found.add(file)
                    todo.append(file)
    found |= {asset for file in found for asset in _browser_files(file)}
    return sorted(found)


def identity(study: str, scale: str, parameters: Mapping[str, Any], code: Mapping[str, Any]) -> str:
    """What must be equal for an old run to stand for a new one: a digest over all of it.

    The device is left out: where a run was computed does not change what was asked.
    """
    asked = {name: value for name, value in parameters.items() if name != "device"}
    content = [study, scale, asked, dict(code)]
    return sha256(json.dumps(content, sort_keys=True, default=list).encode())


def environment() -> dict[str, str]:
    """Versions of Python and of the libraries results rest on."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def usage() -> dict[str, Any]:
    """What this process and its children have used so far, and on which device; read in the kernel.

    CPU time in seconds, memory in megabytes. The device is CUDA only if memory was taken there.
    """
    import psutil

    times = psutil.Process().cpu_times()
    spent = (times.user, times.system, times.children_user, times.children_system)
    result: dict[str, Any] = {
        "cpu_seconds": round(sum(spent), 2),
        "peak_rss_mb": round(_peak_bytes() / 1e6, 1),
        "peak_gpu_mb": None,
        "device": {"kind": "cpu", "name": cpu_name()},
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        peak = torch.cuda.max_memory_allocated()
        if peak > 0:
            result["peak_gpu_mb"] = round(peak / 1e6, 1)
            result["device"] = {"kind": "cuda", "name": torch.cuda.get_device_name()}
    return result


def cpu_name() -> str:
    """The processor's model name and the number of cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def _peak_bytes() -> float:
    """Largest resident memory of this process; of its largest child too where that was larger."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return float(getattr(psutil.Process().memory_info(), "peak_wset", 0))
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    try:  # ru_maxrss survives exec and so may be the parent's; the kernel's own mark does not
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    return float(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit))


def _is_notebook(path: Path) -> bool:
    return path.suffix == ".ipynb" or path.parent.name == "notebooks"


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except SyntaxError as error:
        error.filename = str(path)
        raise


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:  # a magic or shell line: keep it as text
        lines = [
            repr(line) if line.lstrip()[:1] in ("%", "!", "?") else line
            for line in source.splitlines()
        ]
        return ast.parse("\n".join(lines))


def _meaning(node: Any) -> Any:
    """A syntax tree as plain lists, without what is prose."""
    if isinstance(node, list):
        return [_meaning(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        fields["body"] = fields.get("body", [])[ast.get_docstring(node, clean=False) is not None :]
    if isinstance(node, ast.Call):
        fields["keywords"] = [word for word in node.keywords if word.arg != "description"]
    return [type(node).__name__, *([name, _meaning(value)] for name, value in fields.items())]


def _imports(path: Path, root: Path) -> tuple[str, ...]:
    """Dotted names of everything in `synthcore` that a file's import statements may load."""
    return _imports_of(path, root, path.stat().st_mtime_ns)


@cache
def _imports_of(path: Path, root: Path, changed: int) -> tuple[str, ...]:
    if path.suffix in BROWSER_FILES:
        return ()
    names: list[str] = []
    sources = notebook_code(path) if _is_notebook(path) else [read_text(path)]
    with _named(path):
        trees = [_parse(source) for source in sources]
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if _ours(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(root).parent.parts
                base = ".".join((*package[: len(package) - node.level + 1], *filter(None, [base])))
            if _ours(base):
                names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(PACKAGE + ".")


def _files(module: str, root: Path) -> Iterator[Path]:
    """Files loaded by importing `module`: its packages' `__init__` and itself, where they exist."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        stem = root.joinpath(*parts[:depth])
        for file in (stem / "__init__.py", stem.with_suffix(".py")):
            if file.is_file():
                yield file


def _browser_files(module: Path) -> Iterator[Path]:
    """Browser files that a module of the explorers names by their places below that room."""
    if module.suffix in BROWSER_FILES or "explorers" not in module.parts:
        return
    room = next(folder for folder in module.parents if folder.name == "explorers")
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            file = room / node.value
            if file.suffix in BROWSER_FILES and file.is_file():
                yield file
