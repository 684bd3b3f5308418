"""What a release attaches: the site, the executed notebooks, the records, and their digests.

The archive of the site is also the book to carry away: unpacked, it opens from a folder, without a
network. Archives of the same content are the same bytes.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthcore.evidence.files import sha256, write_atomic
from synthcore.evidence.record import RECORD_NAME, Record
from synthcore.press.errors import Failed, Refused
from synthcore.press.folders import FILES
from synthcore.press.notebooks import from_json, to_json, without_injected
from synthcore.press.runner import NOTEBOOK_NAME
from synthcore.press.shipping import unverified
from synthcore.press.shown import Shown, page_of
from synthcore.press.site import site_folder
from synthcore.press.studies import CHECK, REFERENCE, Study

SITE, NOTEBOOKS, RECORDS = "model-systems.zip", "notebooks.zip", "records.zip"
MANIFEST = "manifest.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time an archive can tell; a build's time says nothing


def release(root: Path, studies: Sequence[Study], out: Path) -> list[Path]:
    """Write three archives and the manifest into `out`; the manifest comes last.

    Raises Refused without a site, or while stages on a page are of other code than today's and have
    not been verified; Failed without a chapter's run, DamagedRecord if a run does not match its
    checksums.
    """
    html = site_folder(root) / "html"
    if not (html / "index.html").is_file():
        raise Refused(f"There is no site in {html}: build it with synthcore book.")
    pages = {study.name: page_of(study) for study in studies}
    _require_verified(studies, pages)
    notebooks: dict[str, bytes] = {}
    records: dict[str, Path] = {}
    for study in studies:
        page, folder = pages[study.name], study.run_folder(CHECK)
        page.record.verify(page.folder)
        page.check.verify(folder)
        notebooks[f"{study.name}.ipynb"] = _notebook(page.folder / NOTEBOOK_NAME)
        kept = [folder / RECORD_NAME, *(folder / data.name for data in page.check.data)]
        records |= {f"{study.name}/{CHECK}/{path.name}": path for path in kept}
        records |= {
            f"{study.name}/reference/{path.name}": path
            for path in sorted(study.reference.glob("*"))
            if path.is_file()
        }
    archives: dict[str, Mapping[str, Path | bytes]] = {
        SITE: {
            f"model-systems/{path.relative_to(html).as_posix()}": path
            for path in sorted(html.rglob("*"))
            if path.is_file() and path.name != FILES
        },
        NOTEBOOKS: notebooks,
        RECORDS: records,
    }
    written = []
    for name, files in archives.items():
        write_atomic(out / name, _archive(files))
        written.append(out / name)
    about = _manifest({name: page.record for name, page in pages.items()}, archives, written)
    write_atomic(out / MANIFEST, json.dumps(about, indent=1) + "\n")
    return [*written, out / MANIFEST]


def check(folder: Path) -> None:
    """Raises Failed, naming it, if an archive or a file in one is not what the manifest says."""
    said = json.loads((folder / MANIFEST).read_bytes())
    for archive in said["archives"]:
        path = folder / archive["name"]
        if not path.is_file() or sha256(path) != archive["sha256"]:
            raise Failed(f"{archive['name']} is not the file of the manifest.")
        with zipfile.ZipFile(path) as opened:
            found = {name: sha256(opened.read(name)) for name in opened.namelist()}
        if found != archive["files"]:
            raise Failed(f"{archive['name']} holds other files than the manifest says.")


def _require_verified(studies: Sequence[Study], pages: Mapping[str, Shown]) -> None:
    found = [
        stage
        for study in studies
        for page in [pages[study.name]]
        for stage in unverified(study, page.record, page.check)
    ]
    if found:
        raise Refused(
            f"Stages on the pages were computed with other code than today's: {'; '.join(found)}. "
            f"Run the studies again (synthcore run STUDY --scale {REFERENCE} --record) or verify "
            f"them (synthcore verify STUDY --scale {REFERENCE})."
        )


def _notebook(path: Path) -> bytes:
    """An executed notebook for readers: its cell of parameters is the only one."""
    return to_json(without_injected(from_json(path))).encode()


def _archive(files: Mapping[str, Path | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            about = zipfile.ZipInfo(name, EPOCH)
            about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(about, path if isinstance(path, bytes) else path.read_bytes())
    return stream.getvalue()


def _manifest(
    runs: Mapping[str, Record],
    archives: Mapping[str, Mapping[str, Path | bytes]],
    written: Sequence[Path],
) -> dict[str, Any]:
    """Digests of the archives and of every file in them, and what ran where."""
    return {
        "runs": {
            name: {
                "scale": record.scale,
                "identity": record.identity,
                "started": record.started,
                "device": str(record.device),
                "lock": record.code.lock,
            }
            for name, record in runs.items()
        },
        "archives": [
            {
                "name": path.name,
                "sha256": sha256(path),
                "bytes": path.stat().st_size,
                "files": {name: sha256(file) for name, file in archives[path.name].items()},
            }
            for path in written
        ],
    }
