"""What an answer lacks of its row, each kind of lack for its own reason; routes asked without a key; and the record."""

import json
from typing import Any

import pytest

from fixtures.evidence.events import Entry, EnvironmentRecorded, RunStarted
from fixtures.lmdeploy.capabilities import TRIED
from tests.acceptance.conformance.asking import ask_without_a_key
from tests.acceptance.conformance.events import RowTried
from tests.acceptance.conformance.record import merged, records
from tests.acceptance.conformance.rows import KNOWN, LONG, ROWS, Row, departs, parsed

BY_ID = {row.id: row for row in ROWS}
STREAM = 'event: message_start\ndata: {"type": "message_start", "message": {"role": "assistant"}}\n\ndata: [DONE]\n\n'


def row(fields: dict[str, Any], events: tuple[str, ...] = ()) -> Row:
    return Row("x.y", "x", "", "", "POST", "/x", {}, (200,), "", None, fields, events)


@pytest.mark.parametrize(
    ("asked", "status", "body", "lacking"),
    [
        (row({"a": "int"}), 200, {"a": 1}, ""),
        (row({"a": "int"}), 404, {"a": 1}, "HTTP 404, not 200"),
        (row({"a": "int"}), None, "ReadError: cut", "no whole answer: ReadError: cut"),
        (row({"a": "int"}), 200, {"a": True}, "a: true, not int"),
        (row({"a": "int"}), 200, {}, "a: missing, not int"),
        (row({"a": "array"}), 200, {"a": [1]}, ""),
        (row({"a": "list"}), 200, {"a": "list"}, ""),
        (row({"a.0.b|c": "str"}), 200, {"c": "x"}, ""),
        (row({"a.*.b": 2}), 200, {"a": [{"b": 1}, {"b": 2}]}, ""),
        (row({"a.*.b": 3}), 200, {"a": [{"b": 1}, {"b": 2}]}, "a.*.b: 1, not 3"),
        (row({"-1.b": 2}), 200, [{"b": 1}, {"b": 2}], ""),
        (row({"5.b": 2}), 200, [{"b": 1}], "5.b: missing, not 2"),
        (row({}, ("a", "c")), 200, [{"type": "a"}, {"type": "b"}, {"type": "c"}], ""),
        (row({}, ("c", "a")), 200, [{"type": "a"}, {"type": "b"}, {"type": "c"}], "no event a"),
        (row({}, ("a",)), 200, "no stream", "no event a"),
    ],
)
def test_lack_is_told(asked: Row, status: int | None, body: Any, lacking: str) -> None:
    assert asked.lacks(status, body) == ([lacking] if lacking else [])


def test_bodies_are_read_as_what_they_are() -> None:
    message = {"type": "message_start", "message": {"role": "assistant"}}
    assert parsed("text/event-stream", STREAM) == [message, "[DONE]"]
    assert (parsed("application/json", '{"a": 1}'), parsed("text/plain", "no")) == ({"a": 1}, "no")


def test_requests_are_made_of_the_table() -> None:
    assert BY_ID["chat.answer"].request("m")["model"] == "m"
    assert "model" not in BY_ID["chat.no_model"].request("m")
    assert BY_ID["chat.not_json"].request("m") == "{"
    assert BY_ID["responses.too_long"].request("m")["input"] == LONG
    assert BY_ID["messages.call"].request("m")["tools"][0]["input_schema"]["required"] == ["a", "b"]
    assert BY_ID["messages.bad_temperature"].fields["type"] == "error"
    assert len(BY_ID) == len(ROWS)


GPU = KNOWN.with_name("conformance-h100-80gb-hbm3.json")


@pytest.mark.parametrize("column", json.loads(GPU.read_text(encoding="utf-8"))["columns"])
def test_gpu_and_cpu_engine_answer_alike(column: str) -> None:
    """Status, lacks and what the SDK said of every row, and the routes that ask for a key."""
    gpu, cpu = (json.loads(file.read_text(encoding="utf-8"))["columns"] for file in (GPU, KNOWN))
    same = ("rows", "open", "guarded")
    assert [gpu[column][key] for key in same] == [cpu[column.partition(" ")[0]][key] for key in same]


def test_known_departures_are_those_recorded() -> None:
    lacks = ["error.message: missing, not str", "error.type: missing, not str"]
    assert (departs("0.18.0")["chat.error_envelope"], departs("0.0.0")) == (lacks, {})
    assert [version for version in TRIED if not departs(version)] == []


PATHS: dict[str, Any] = {
    "/health": {"get": {}},
    "/v1/chat": {"post": {"requestBody": {"required": True}}},
    "/sleep": {"post": {"security": [{"HTTPBearer": []}]}},
    "/stop/terminate": {"get": {}},
}


class App:
    """A client of an app with these routes, of which those in `bare` do not heed the key."""

    def __init__(self, bare: tuple[str, ...], by_middleware: bool) -> None:
        self.bare, self.by_middleware, self.acted = bare, by_middleware, list[str]()

    def send(self, method: str, path: str, body: Any = None, *, key: bool = True) -> tuple[int | None, str, str]:
        if path == "/openapi.json" and key:
            return 200, "application/json", json.dumps({"paths": PATHS})
        if (method == "POST" and body is None) or (path.endswith("terminate") and method == "GET"):
            self.acted.append(path)
        if path in self.bare or (method == "DELETE" and not self.by_middleware):
            return 405 if method == "DELETE" else 200, "", ""
        return 401, "", ""


def test_every_route_is_asked_without_a_key_and_none_acts() -> None:
    strict, loose = App(("/health",), True), App(("/health", "/v1/chat"), False)
    assert ask_without_a_key(strict).open == ["GET health"]  # type: ignore[arg-type]
    assert ask_without_a_key(loose).open == ["GET health", "POST v1/chat", "GET stop/terminate"]  # type: ignore[arg-type]
    assert strict.acted == loose.acted == []


def test_record_keeps_a_column_for_each_version() -> None:
    def made(version: str, *rows: Row) -> dict[str, Any]:
        begun = RunStarted("run", ["pytest"], {"checkpoint": "standin"}, {}, "abc", False, True)
        environment = EnvironmentRecorded({"lmdeploy": version}, "3.11", "Linux", "", 0, "", "")
        tried = [RowTried(one.id, one.path, 200, [], "parsed", "") for one in rows]
        return records([Entry(0.0, "now", event) for event in (begun, environment, *tried)])

    chats = [one for one in ROWS if one.protocol == "chat"]
    (new,), (old,) = made("0.18.0", *chats).values(), made("0.9.2", *chats).values()
    assert list(merged(new, old)["columns"]) == ["0.9.2", "0.18.0"]
    assert new["columns"]["0.18.0"]["rows"]["chat.answer"] == {"status": 200, "lacks": [], "sdk": "parsed"}
    assert made("0.18.0") == {}
    with pytest.raises(ValueError, match=r"chat\.answer"):
        made("0.18.0", *chats[1:])
