"""The request distributor and what stands behind it, as far as that needs no lmdeploy; the rest is a rehearsal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.client.client import Client
from fixtures.errors import LmdeployError, RequestError, ServerDied, ServerError
from fixtures.evidence.events import Exchanged
from fixtures.lmdeploy.capabilities import capabilities
from fixtures.server import replicas
from fixtures.server.api_server import RunningServer
from fixtures.server.replicas import answered, nodes, require_proxy
from tests.unit.serving import Answering, port_of

LOST = {"error_code": 10402, "text": "Failed to get response after a period of time"}
"""What lmdeploy's distributor answers, with status 200, where an api_server is gone."""


class Distributor(Answering):
    """Knows two servers; every chat is lost."""

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": "m", "object": "model"}]}
        nodes = {"http://127.0.0.1:1": {"latency": []}, "http://127.0.0.1:2": {}}
        self._send(200, models if self.path.endswith("/models") else nodes)

    def do_POST(self) -> None:
        self._asked()
        self._send(200, LOST)


@pytest.fixture
def port() -> Iterator[int]:
    with port_of(Distributor) as found:
        yield found


def running(port: int, log: Path = Path(), alive: bool = True) -> RunningServer:
    def check() -> None:
        if not alive:
            raise ServerDied("server_died")

    return RunningServer("127.0.0.1", port, "m", log, 1.0, "any", check)


def test_server_that_has_not_registered_is_an_error(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "REGISTRATION_TIMEOUT", 0.2)
    assert nodes(running(port)) == {"http://127.0.0.1:1", "http://127.0.0.1:2"}
    replicas._await_registration(running(port), [running(1), running(2)])
    with pytest.raises(ServerError, match=r"knows .*127.0.0.1:2.*, and .*127.0.0.1:3"):
        replicas._await_registration(running(port), [running(1), running(3)])
    with pytest.raises(ServerDied):
        replicas._await_registration(running(port), [running(1), running(3, alive=False)])


def test_answers_are_counted_in_the_access_log(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    line = 'INFO: 127.0.0.1:5 - "{} HTTP/1.1" 200 OK\n'
    log.write_text(line.format("POST /v1/chat/completions") * 2 + line.format("GET /v1/models"))
    assert answered(running(1, log)) == 2


def test_lost_answer_is_put_down_to_the_server_that_died(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.client.client.DYING_S", 0.1)
    monkeypatch.setattr("fixtures.client.client.DYING_POLL_S", 0.05)
    kept: list[Exchanged] = []
    with pytest.raises(ServerDied):
        Client(running(port, alive=False), 5, kept.append).ask([{"role": "user", "content": "1+1"}])
    with pytest.raises(RequestError):
        Client(running(port), 5, kept.append).ask([{"role": "user", "content": "1+1"}])
    assert [exchange.response for exchange in kept] == [LOST, LOST]


def test_version_whose_distributor_keeps_the_key_to_itself_is_refused() -> None:
    require_proxy(capabilities("0.12.0"))
    with pytest.raises(LmdeployError, match="does not hand keys on"):
        require_proxy(capabilities("0.11.1"))
