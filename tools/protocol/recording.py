"""Ask a server every case and keep what it answered."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, Final

from tools.protocol.cases import Case

TIMEOUT: Final = 120.0
"""Seconds for one answer: a story of the 1.8B takes a few."""

LONGEST_KEPT: Final = 200
"""Characters kept of a long request text: the over-long input is no reading matter."""


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
        request=_shortened(case.body),
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


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_KEPT:
        return f"{value[:LONGEST_KEPT]}... ({len(value)} characters)"
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return value
