"""The client: every exchange is evidence, and every way of not answering has its message."""

import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.client.answer import Answer
from fixtures.client.client import Client
from fixtures.errors import NoAnswer, RequestError, ServerDied
from fixtures.evidence import Evidence, read
from fixtures.evidence.events import Exchanged
from fixtures.run.measurement import ClaimFailed
from fixtures.texts import Texts, message
from tests.unit.programs.chat_server import MODEL, Chat
from tests.unit.serving import Answering, port_of

MODULE = sys.modules[Client.__module__]  # its name is also that of a fixture in it


@dataclass
class Server:
    """A server that is found dead at the look after `lives`."""

    base_url: str
    api_key: str = "any"
    lives: float = float("inf")
    looks: int = 0

    def check_alive(self) -> None:
        self.looks += 1
        if self.looks > self.lives:
            raise ServerDied("killed_by_sigkill")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """These servers do not take seconds to die."""
    monkeypatch.setattr(MODULE, "DYING_S", 0.1)
    monkeypatch.setattr(MODULE, "DYING_POLL_S", 0.05)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with port_of(Chat) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "run")


@pytest.fixture
def client(base_url: str, evidence: Evidence) -> Iterator[Client]:
    opened = Client(Server(base_url), 20.0, evidence.append)
    yield opened
    opened.close()


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def exchanges(evidence: Evidence) -> list[Exchanged]:
    return [entry.event for entry in read(evidence.folder) if isinstance(entry.event, Exchanged)]


def test_answer_and_its_evidence(client: Client, evidence: Evidence) -> None:
    answer = client.ask(say("你好"), temperature=0.8)
    assert (client.model_name, answer.text, answer.tool_calls, answer.finish_reason) == (MODEL, "狐狸", [], "stop")
    (kept,) = exchanges(evidence)
    assert kept.request == {"model": MODEL, "messages": say("你好"), "temperature": 0.8}
    assert (kept.status, kept.error, kept.response["id"]) == (200, "", "1")
    assert kept.test.endswith("test_client.py::test_answer_and_its_evidence")


def test_null_content_is_an_empty_text() -> None:
    body = {"choices": [{"message": {"content": None, "tool_calls": [{"id": "1"}]}, "finish_reason": "tool_calls"}]}
    answer = Answer(body)
    assert (answer.text, answer.tool_calls, answer.finish_reason, answer.usage) == ("", [{"id": "1"}], "tool_calls", {})


@pytest.mark.parametrize(
    ("ask", "wish", "status", "words"),
    [
        ("ask", "status 500", 500, "HTTP 500"),
        ("ask", "status 400", 400, "HTTP 400"),
        ("ask", "no choices", 200, "an answer without a choice"),
        ("ask", "no json", 200, "the answer is not JSON"),
        ("ask", "redirect", None, "HTTP 302, http://elsewhere.example/"),
        ("ask", "flood", None, "larger than 8 MiB"),
        ("ask", "bomb", None, "larger than 8 MiB"),
        ("ask", "zstd", None, "Content-Encoding is 'zstd'"),
        ("ask", "not packed", None, "says that it is gzip"),
        ("ask", "deep", 200, "nested deeper than 64"),
        ("ask", "nested", 200, "nested deeper than 64"),
        ("ask", "digits", 200, "a number of 5000 digits"),
        ("ask", "NaN", 200, "the number NaN"),
        ("ask", "1e999", 200, "the number 1e999"),
        ("ask", "cut", None, "APIConnectionError"),
        ("stream", "status 500", 500, "HTTP 500: .*refused"),
        ("stream", "stream cut", 200, "Error"),
        ("stream", "stream broken", 200, "JSONDecodeError"),
        ("stream", "cut", 200, "Error"),
    ],
)
def test_unusable_answer_is_an_error_and_evidence(
    ask: str, wish: str, status: int | None, words: str, client: Client, evidence: Evidence
) -> None:
    with pytest.raises(RequestError, match=words):
        getattr(client, ask)(say(wish))
    (kept,) = exchanges(evidence)
    assert kept.error
    assert kept.status == status
    if wish == "no json":
        assert kept.response == "<html>proxy</html>"


@pytest.mark.parametrize(("ask", "wish"), [("ask", "hang"), ("ask", "drip"), ("stream", "stream drip")])
def test_answer_that_does_not_end_is_ended_at_the_timeout_and_not_retried(
    ask: str, wish: str, base_url: str, evidence: Evidence
) -> None:
    client = Client(Server(base_url), 0.3, evidence.append)
    began = time.monotonic()
    with pytest.raises(RequestError, match=r"no whole answer within 0\.3 s"):
        getattr(client, ask)(say(wish))
    assert time.monotonic() - began < 5
    (kept,) = exchanges(evidence)
    assert Texts("zh").tell(kept.error) == "0.3 秒内没有完整的回答"
    client.close()


def test_closed_client_waits_for_no_answer_and_keeps_none(evidence: Evidence) -> None:
    """A run that stops early must not wait for its own question: what it cuts itself is no failure of the server."""
    asked = threading.Event()

    class Slow(Chat):
        def do_POST(self) -> None:
            asked.set()
            super().do_POST()

    with port_of(Slow) as port, ThreadPoolExecutor(1) as pool:
        client = Client(Server(f"http://127.0.0.1:{port}/v1"), 30.0, evidence.append)
        asking = pool.submit(client.ask, say("hang"))
        assert asked.wait(10)
        client.close()
        with pytest.raises(NoAnswer, match="closed"):
            asking.result(10)
    assert exchanges(evidence) == []


@pytest.mark.parametrize("wish", ["bomb", "flood", "deep", "digits"])
def test_hostile_answer_costs_little(wish: str, client: Client) -> None:
    """Two seconds of a processor, no matter who else wants it, and 100 MiB as Python counts them."""
    client.ask(say("good"))
    tracemalloc.start()
    began = time.thread_time()
    with pytest.raises(RequestError):
        client.ask(say(wish))
    seconds, (_, peak) = time.thread_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (seconds < 2, peak < 100 * 2**20) == (True, True)


def test_half_a_surrogate_pair_survives_in_both_directions(client: Client, evidence: Evidence) -> None:
    answer = client.ask(say("surrogate"))
    assert answer.text == "狐\ud800狸"
    client.ask([*say("echo"), {"role": "assistant", "content": answer.text}])
    assert exchanges(evidence)[0].response["choices"][0]["message"]["content"] == "狐\ud800狸"


def test_packed_answer_is_unpacked(client: Client) -> None:
    assert client.ask(say("packed")).text == "狐狸"


@pytest.mark.parametrize("ask", ["ask", "stream"])
def test_fault_that_the_check_finds_fails_whoever_asked(ask: str, base_url: str, evidence: Evidence) -> None:
    with (
        closing(Client(Server(base_url), 2.0, evidence.append, check=lambda _: message("envelope.no_usage"))) as client,
        pytest.raises(ClaimFailed, match="no usage"),
    ):
        getattr(client, ask)(say(ask))
    assert len(exchanges(evidence)) == 1


def test_proxy_in_the_environment_is_not_used(
    base_url: str, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert Client(Server(base_url), 2.0, evidence.append).ask(say("你好")).text == "狐狸"


def test_refusal_can_be_looked_at_without_an_error(client: Client, evidence: Evidence) -> None:
    exchanged = client.attempt(say("status 400"))
    assert (exchanged.status, exchanged.error, exchanged.response) == (400, "HTTP 400", {"message": "refused"})
    assert exchanges(evidence) == [exchanged]


def test_fields_of_lmdeploys_own_reach_the_server(client: Client) -> None:
    sent = client.ask(say("echo"), skip_special_tokens=False, seed=7).body["request"]
    assert sent == {"model": MODEL, "messages": say("echo"), "skip_special_tokens": False, "seed": 7}


def test_exchanges_can_go_elsewhere(client: Client, evidence: Evidence) -> None:
    aside: list[Exchanged] = []
    client.recording_to(aside.append).ask(say("你好"))
    client.ask(say("echo"))
    assert [kept.request["messages"] for kept in aside] == [say("你好")]
    assert [kept.request["messages"] for kept in exchanges(evidence)] == [say("echo")]


def test_stream_is_joined_and_kept_as_a_message(client: Client, evidence: Evidence) -> None:
    streamed = client.stream(say("stream"), temperature=0)
    assert (streamed.text, streamed.pieces, streamed.faults) == ("狐狸", ("狐", "狸"), ())
    (kept,) = exchanges(evidence)
    assert kept.request["stream"] is True
    assert kept.response["choices"][0]["message"]["content"] == "狐狸"
    assert len(kept.response["chunks"]) == 4


def test_refused_key_is_told_and_not_shown(base_url: str, evidence: Evidence) -> None:
    Client(Server(base_url + "/guarded", "right-key"), 2.0, evidence.append)
    with pytest.raises(RequestError, match="does not list its models") as refused:
        Client(Server(base_url + "/guarded", "wrong-key"), 2.0, evidence.append)
    assert "key is right" in str(refused.value)
    assert "wrong-key" not in str(refused.value)


def test_dead_server_is_told_in_place_of_its_last_answer(base_url: str, evidence: Evidence) -> None:
    client = Client(Server(base_url, lives=0), 2.0, evidence.append)
    with pytest.raises(ServerDied):
        client.ask(say("status 500"))


def test_cut_connection_waits_for_the_death_that_explains_it(
    base_url: str, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections are cut first, and the server is found dead a moment later, as a process with much on a GPU is."""
    monkeypatch.setattr(MODULE, "DYING_S", 60.0)
    server = Server(base_url, lives=2)
    opened = Client(server, 2.0, evidence.append)
    opened._openai.base_url = "http://127.0.0.1:1/v1"  # nobody listens there: the connection is refused
    with pytest.raises(ServerDied):
        opened.ask(say("hello"))
    assert server.looks == 3
    opened.close()


def test_refusal_of_a_living_server_is_told_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "DYING_S", 60.0)
    with pytest.raises(RequestError, match="HTTP 500"):
        client.ask(say("status 500"))


class Behind(Answering):
    """A server that lists its models, behind a gateway that loses every question."""

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": MODEL}]})

    def do_POST(self) -> None:
        self._asked()
        self._send(502, "<html><center>nginx/1.18.0</center></html>")


@pytest.mark.parametrize(
    ("external", "words"),
    [
        (True, ["HTTP 502 from a proxy or gateway in front of the server (nginx)", "this run has none"]),
        (False, ["HTTP 502", "kept beside the report"]),
    ],
)
def test_remedy_names_the_log_that_there_is_and_a_gateway_is_no_server(external: bool, words: list[str]) -> None:
    with (
        port_of(Behind) as port,
        closing(Client(Server(f"http://127.0.0.1:{port}/v1"), 5, lambda _: None, external=external)) as client,
        pytest.raises(RequestError) as refused,
    ):
        client.ask([{"role": "user", "content": "x"}])
    assert [word for word in words if word not in str(refused.value)] == []


def test_any_request_is_sent_as_it_is_with_the_key_or_without() -> None:
    class Echo(Answering):
        def do_GET(self) -> None:
            self._send(200, {"data": [{"id": "m"}]})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(422, f"{self.path} {self.headers['Authorization']} {self.headers['x-version']} {body}")

    with port_of(Echo) as port, closing(Client(Server(f"http://127.0.0.1:{port}/v1"), 10, lambda _: None)) as client:
        said = client.send("POST", "/v1/x", "{", headers={"x-version": "1"})
        assert said == (422, "application/json", "/v1/x Bearer any 1 {")
        assert client.send("POST", "/y", {"a": "狐"}, key=False)[2] == '/y None None {"a": "狐"}'
    status, _, why = client.send("GET", "/v1/models")
    assert status is None
    assert why
