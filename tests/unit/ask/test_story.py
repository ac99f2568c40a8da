"""The story is told while the function calls are asked, and belongs to its own test all the same."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.ask.story import begin
from fixtures.client.answer import Answer
from fixtures.errors import RequestError
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import Exchanged
from fixtures.homework import STORY_PROMPT
from tests.unit.answers import Scripted, answer

STORY = "从前有一只狐狸，它有一个西瓜。"


def item(name: str, *fixtures: str) -> Any:
    return SimpleNamespace(nodeid=f"tests/acceptance/{name}", fixturenames=list(fixtures))


ITEMS = [
    item("test_tools.py::add", "ask_for_calls"),
    item("test_chat.py::a", "story"),
    item("test_chat.py::b", "story"),
]


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path)


def test_story_is_asked_for_at_once_and_waited_for_later(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let = threading.Event()

    class Slow(Scripted):
        def ask(self, messages: list[dict[str, Any]], **request: Any) -> Answer:
            assert let.wait(30)
            return super().ask(messages, **request)

    client: Any = Slow(answer(STORY))
    wait = begin(client, evidence, ITEMS)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/acceptance/test_tools.py::add (call)")
    let.set()
    assert [wait().text, wait().text] == [STORY, STORY]
    assert [asked["messages"][-1]["content"] for asked in client.asked] == [STORY_PROMPT]
    (kept,) = [entry.event for entry in read(tmp_path) if isinstance(entry.event, Exchanged)]
    assert kept.test == "tests/acceptance/test_chat.py::a"


def test_failure_is_told_to_who_waits(evidence: Evidence) -> None:
    class Refused(Scripted):
        def ask(self, *_: Any, **__: Any) -> Answer:
            raise RequestError("client_closed", where="POST")

    client: Any = Refused()
    wait = begin(client, evidence, ITEMS)
    for _ in range(2):
        with pytest.raises(RequestError, match="closed"):
            wait()


def test_story_is_not_asked_for_where_no_test_looks_at_it(evidence: Evidence) -> None:
    client: Any = Scripted(answer(STORY))
    wait = begin(client, evidence, ITEMS[:1])
    assert client.asked == []
    assert wait().text == STORY
    assert len(client.asked) == 1
