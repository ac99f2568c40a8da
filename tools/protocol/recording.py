"""Ask a server what was asked when the recording was made, and keep what it answered."""

import http.client
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tools.records import RECORDS

RECORDING: Final = json.loads((RECORDS / "protocol-0.18.0-h100.json").read_text(encoding="utf-8"))
RECORDED: Final[dict[str, dict[str, Any]]] = {answer["name"]: answer for answer in RECORDING["answers"]}

TIMEOUT: Final = 120.0
"""Seconds for one answer: a story of the 1.8B takes a few."""

LONGEST_KEPT: Final = 200
"""Characters kept of a long request text: the over-long input is no reading matter."""


@dataclass(frozen=True)
class Case:
    """One request: GET without a body, POST with one (a text is sent as it is)."""

    name: str
    path: str
    body: dict[str, Any] | str | None = None


@dataclass(frozen=True)
class Recorded:
    """An answer. `body` is JSON, or text where it is none; of a stream the list of its chunks as JSON."""

    name: str
    path: str
    request: Any
    status: int
    content_type: str
    body: Any


def ask(host: str, port: int, case: Case) -> Recorded:
    """Send one case. Raises OSError or HTTPException when there is no answer."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        if case.body is None:
            connection.request("GET", case.path)
        else:
            text = case.body if isinstance(case.body, str) else json.dumps(case.body, ensure_ascii=False)
            connection.request("POST", case.path, text.encode(), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read().decode("utf-8", errors="replace")
        content_type = (response.getheader("Content-Type") or "").partition(";")[0]
    finally:
        connection.close()
    return Recorded(
        name=case.name,
        path=case.path,
        request=_texts(case.body, _shortened),
        status=response.status,
        content_type=content_type,
        body=_chunks(answer) if content_type == "text/event-stream" else _parsed(answer),
    )


def _chunks(stream: str) -> list[Any]:
    return [_parsed(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_KEPT else f"{text[:LONGEST_KEPT]}... ({len(text)} characters)"


def _lengthened(text: str) -> str:
    cut = re.fullmatch(r"(.+)\.\.\. \((\d+) characters\)", text, re.DOTALL)
    return (cut[1] * int(cut[2]))[: int(cut[2])] if cut else text


def _texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with each of its texts changed."""
    if isinstance(value, dict):
        return {key: _texts(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


CASES: Final = tuple(
    Case(name, answer["path"], _texts(answer["request"], _lengthened)) for name, answer in RECORDED.items()
)
