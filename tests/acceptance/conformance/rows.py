"""The rows of `rows.toml`, and what an answer lacks of its row. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fixtures.client.tools import TOOLS
from fixtures.texts import read_toml

LONG: Final = "狐狸和西瓜。" * 100_000
"""Beyond any context."""

TYPES: Final[dict[str, Any]] = {
    "str": str,
    "int": int,
    "number": (int, float),
    "bool": bool,
    "array": list,
    "object": dict,
}


@dataclass(frozen=True)
class Row:
    """A request with what is documented of its answer; the fields are those of `rows.toml`."""

    id: str
    protocol: str
    zh: str
    en: str
    method: str
    path: str
    headers: dict[str, str]
    status: tuple[int, ...]
    sdk: str
    body: Any
    fields: dict[str, Any]
    events: tuple[str, ...]

    @property
    def claim(self) -> str:
        """Id of its claim."""
        return f"conformance.{self.id}"

    def request(self, model: str) -> Any:
        """Return the body that asks a model of this name."""
        if not isinstance(self.body, dict):
            return self.body
        return {name: model if value == "$MODEL" else value for name, value in self.body.items()}

    def lacks(self, status: int | None, body: Any) -> list[str]:
        """List what the answer has not as documented, a line each; empty where it conforms."""
        if status is None:
            return [f"no whole answer: {str(body)[:80]}"]
        if status not in self.status:
            return [f"HTTP {status}, not {' or '.join(map(str, self.status))}"]
        found = [_lack(body, path, wanted) for path, wanted in self.fields.items()]
        if self.events and (missing := _missing(types(body), self.events)):
            found.append(f"no event {missing}")
        return [line for line in found if line]


def _lack(body: Any, path: str, wanted: Any) -> str:
    values = [value for way in path.split("|") for value in at(body, way.split("."))]
    if any(_is(value, wanted) for value in values):
        return ""
    shown = json.dumps(values[0], ensure_ascii=False)[:80] if values else "missing"
    return f"{path}: {shown}, not {wanted}"


def _is(value: Any, wanted: Any) -> bool:
    if kind := TYPES.get(wanted) if isinstance(wanted, str) else None:
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    return bool(value == wanted)


def at(value: Any, way: list[str]) -> Iterator[Any]:
    """Yield what stands at the end of a way through keys and indexes, of which `*` takes each."""
    if not way:
        yield value
    elif isinstance(value, dict) and way[0] in value:
        yield from at(value[way[0]], way[1:])
    elif isinstance(value, list):
        if way[0] == "*":
            for one in value:
                yield from at(one, way[1:])
        elif way[0].lstrip("-").isdigit() and -len(value) <= int(way[0]) < len(value):
            yield from at(value[int(way[0])], way[1:])


def types(stream: Any) -> list[str]:
    """List the types of a stream's events."""
    return [str(one.get("type")) for one in stream if isinstance(one, dict)] if isinstance(stream, list) else []


def _missing(found: list[str], wanted: tuple[str, ...]) -> str:
    """Return the first wanted event that does not come behind those before it."""
    rest = iter(found)
    return next((one for one in wanted if one not in rest), "")


def parsed(content_type: str, text: str) -> Any:
    """Return a body: JSON, of a stream the list of its data as JSON, else the text."""
    if content_type == "text/event-stream":
        lines = (line for line in text.splitlines() if line.startswith("data:"))
        return [_json(line.removeprefix("data:").strip()) for line in lines]
    return _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _tools(protocol: str) -> list[dict[str, Any]]:
    """Return the homework's tools as a protocol has them."""
    functions = [tool["function"] for tool in TOOLS]
    if protocol == "messages":
        return [
            {"name": one["name"], "description": one["description"], "input_schema": one["parameters"]}
            for one in functions
        ]
    return [{"type": "function", **one} for one in functions] if protocol == "responses" else list(TOOLS)


def _row(name: str, protocol: dict[str, Any], row: dict[str, Any]) -> Row:
    body = {**protocol.get("body", {}), **row.get("body", {})}
    body = {key: value for key, value in body.items() if key not in row.get("without", ())}
    if row.get("tools"):
        body["tools"] = _tools(name)
    if row.get("long"):
        key = next(one for one in ("messages", "input", "prompt") if one in body)
        body[key] = [{"role": "user", "content": LONG}] if key == "messages" else LONG
    good = 200 in row["status"]
    return Row(
        id=f"{name}.{row['id']}",
        protocol=name,
        zh=row["zh"],
        en=row["en"],
        method=protocol.get("method", "POST"),
        path=row.get("path", protocol["path"]),
        headers=protocol.get("headers", {}),
        status=tuple(row["status"]),
        sdk=row.get("sdk", protocol.get("sdk", "")) if good else "",
        body=row.get("raw", body or None),
        fields=row.get("fields", {}) if good or "fields" in row else protocol["error"],
        events=tuple(row.get("events", ())),
    )


KNOWN: Final = Path(__file__).parents[3] / "docs" / "records" / "conformance-rehearsal.json"
"""What each version tried departs in: the record of it is the list of what is accepted."""


def departs(version: str) -> dict[str, list[str]]:
    """Return what a version tried is known to lack, by the row; nothing of one that is not recorded yet."""
    column = json.loads(KNOWN.read_text(encoding="utf-8"))["columns"].get(version, {"rows": {}})
    return {row: tried["lacks"] for row, tried in column["rows"].items() if tried["lacks"]}


ROWS: Final = tuple(
    _row(name, protocol, row)
    for name, protocol in read_toml(Path(__file__).with_name("rows.toml")).items()
    for row in protocol["row"]
)
