"""Makers of the generated parts of docs/, one module for each page: pure functions of a record and its place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fixtures.texts import read_toml

WORDS: Final = read_toml(Path(__file__).with_name("texts.toml"))


@dataclass(frozen=True)
class Place:
    """Where a table stands: the language of its page, `zh` or `en`, and the name of its record in links."""

    language: str
    stem: str = ""

    def head(self, id_: str) -> Any:
        """Return the words of an id as texts.toml has them: the titles of a table's columns."""
        found: Any = WORDS
        for part in (*id_.split("."), self.language):
            found = found[part]
        return found

    def say(self, id_: str, **values: object) -> str:
        """Return the sentence of an id with its values."""
        return str(self.head(id_)).format(**values)

    def table(self, id_: str, rows: Iterable[Mapping[str, Any]]) -> str:
        """Make the table of an id from rows of a record: texts.toml has a format of their fields for each column."""
        page, _, name = id_.partition(".")
        cells = WORDS[page][name]["cells"]
        return markdown(self.head(id_), ([cell.format(**row) for cell in cells] for row in rows))

    def listed(self, parts: Iterable[str], id_: str = "comma") -> str:
        """Join parts with the language's comma, or with another of its signs."""
        return str(self.head(id_)).join(parts)

    def of(self, k: int, n: int) -> str:
        """Tell k of n."""
        return self.say("of", k=k, n=n)

    def raw(self) -> str:
        """Link to the record itself."""
        return f"[{self.say('raw')}](records/{self.stem}.json)"

    def origin(self, record: Mapping[str, Any]) -> str:
        """Tell where and when a record was made, and how to make it again."""
        on = record["gpu"] or record["platform"]
        lmdeploy = [f"lmdeploy {found}"] if (found := record["versions"].get("lmdeploy")) else []
        told = self.listed([on, *lmdeploy, record["date"][:10]])
        return f"`{record['command']}`\n{self.say('origin', told=told)}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
