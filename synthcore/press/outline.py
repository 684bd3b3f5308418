"""How the chapters fit together, as `book/chapters.yaml` says: themes, meetings, figures."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from synthcore.press.errors import Failed
from synthcore.press.pages import link
from synthcore.press.studies import Study

OUTLINE = Path("book/chapters.yaml")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Theme(_Part):
    """A question that several chapters answer, and what they say to it together."""

    question: str
    answer: str


class Place(_Part):
    """A chapter's theme, what it says in one sentence, and which figure shows which claim."""

    theme: str
    says: str
    figures: Mapping[str, str] = {}


class Meeting(_Part):
    """Two chapters that show one phenomenon from two sides."""

    between: tuple[str, str]
    text: str


class Outline(_Part):
    """The whole book in outline. A study it does not know simply has no place on the map."""

    themes: Mapping[str, Theme] = {}
    studies: Mapping[str, Place] = {}
    meetings: tuple[Meeting, ...] = ()

    @classmethod
    def read(cls, root: Path) -> "Outline":
        """The outline of the project at `root`. Raises Failed naming what is wrong in the file."""
        try:
            return cls.model_validate(yaml.safe_load((root / OUTLINE).read_text("utf-8")))
        except FileNotFoundError:
            return cls()
        except (yaml.YAMLError, ValidationError) as error:
            raise Failed(f"{OUTLINE} cannot be read: {error}") from None

    def figure(self, study: str, claim: str) -> str | None:
        """Id of the figure that shows a claim."""
        place = self.studies.get(study)
        return place.figures.get(claim) if place else None

    def map(self, studies: Sequence[Study]) -> str:
        """The map of the book: one column per theme, one link per chapter, as HTML."""
        built = {study.name: study for study in studies}
        columns = []
        for name, theme in self.themes.items():
            links = "".join(
                f'<li><a href="../notebooks/{study}.html"><strong>{escape(built[study].title)}'
                f"</strong><span>{escape(place.says)}</span></a></li>"
                for study, place in self.studies.items()
                if place.theme == name and study in built
            )
            columns.append(
                f'<section class="theme theme-{name}"><h3 id="theme-{name}">'
                f"{escape(theme.question)}</h3><p>{escape(theme.answer)}</p><ul>{links}</ul>"
                "</section>"
            )
        return f'<div class="book-map">{"".join(columns)}</div>'

    def meeting_list(self, studies: Sequence[Study]) -> str:
        """Where chapters meet, one item per pair of chapters that are built, as Markdown."""
        built = {study.name: study for study in studies}
        return "\n".join(
            f"- {link(built[one])} and {link(built[other])}. {meeting.text}"
            for meeting in self.meetings
            for one, other in [meeting.between]
            if one in built and other in built
        )

    def see_also(self, study: str, studies: Sequence[Study]) -> str:
        """The chapters that a chapter meets, as Markdown; empty if there are none."""
        built = {other.name: other for other in studies}
        met = [
            other
            for meeting in self.meetings
            if study in meeting.between
            for other in meeting.between
            if other != study and other in built
        ]
        return "; ".join(link(built[other]) for other in met)
