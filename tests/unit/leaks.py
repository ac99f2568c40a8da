"""What a folder that is made to be published must not hold: secrets, and the folders of whoever ran the suite."""

import html
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fixtures.evidence.redaction import NOTHING_PRIVATE, redact

PICTURES = (".png", ".svg")
# pytest-html's own scripts hold regular expressions, and pictures base64: both look like folders.
NO_TEXT = re.compile(r"<script.*?</script>|data:image/jpeg;base64,[A-Za-z0-9+/=]+", re.DOTALL)


def leaks(folder: Path, secrets: Sequence[str] = ()) -> list[str]:
    """Where something leaked, as `file: line`; empty for a folder that is fit to be published."""
    files = sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return [f"{file.relative_to(folder)}: {found}" for file in files for found in _in_file(file, secrets)]


def _in_file(file: Path, secrets: Sequence[str]) -> list[str]:
    content = file.read_bytes()
    found = [f"secret number {number}" for number, secret in enumerate(secrets) if secret.encode() in content]
    if file.suffix not in PICTURES:
        text = NO_TEXT.sub("", content.decode("utf-8"))
        text = html.unescape(text) if file.suffix == ".html" else text
        # What the suite would have left out of the text, had it seen it.
        lines = (
            (part for line in text.split("\n") for part in _said(line)) if file.suffix == ".jsonl" else text.split("\n")
        )
        found += [line[:200] for line in lines if redact(line, NOTHING_PRIVATE) != line]
    return found


def _said(line: str) -> Iterator[str]:
    """The texts in a line of JSON, in which `\\n:\\n` would look like a drive; a line that is none, itself."""
    try:
        values = [json.loads(line)]
    except ValueError:
        yield line
        return
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, (dict, list)):
            values += [*value, *value.values()] if isinstance(value, dict) else value
