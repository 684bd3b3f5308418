"""Links of the smoke site: everything that a page links to or loads is there, on disk."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """The places of a page that a link may name, and what it links to or loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.places |= {values.get("id") or "", values.get("name") or "" if tag == "a" else ""}
        link = values.get({"a": "href", "link": "href", "script": "src", "img": "src"}.get(tag, ""))
        if link is not None:
            self.links.append((tag, link))


def test_internal_links_resolve(site: Path) -> None:
    found = (p for p in site.rglob("*.html") if "_static" not in p.parts)  # the theme's templates
    pages = {path: Links(path) for path in found}
    broken = set()
    for page, read in pages.items():
        for tag, link in set(read.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if tag != "a" and parts.scheme != "data":
                    broken.add(f"{page.name} loads {link}")
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists():
                broken.add(f"{page.name} -> {link}")
            elif parts.fragment and (
                target not in pages or unquote(parts.fragment) not in pages[target].places
            ):
                broken.add(f"{page.name} -> {link} (no such place)")
    assert len(pages) > 100
    assert sorted(broken) == []
