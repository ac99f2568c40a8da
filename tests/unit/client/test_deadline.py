"""An answer that drips for ever, whole or streamed, ends at the timeout and says so."""

import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fixtures.client.client import Client
from fixtures.errors import RequestError

MODELS = b'{"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "x"}]}'
CHUNK = (
    b'data: {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n'
)


class Dripping(http.server.BaseHTTPRequestHandler):
    """Bytes that never end: blanks in place of JSON, or chunk after chunk."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(MODELS)))
        self.end_headers()
        self.wfile.write(MODELS)

    def do_POST(self) -> None:
        streamed = b'"stream": true' in self.rfile.read(int(self.headers["Content-Length"])).replace(b":t", b": t")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
        self.end_headers()
        while not self.server.ended.is_set():  # type: ignore[attr-defined]
            try:
                self.wfile.write(CHUNK if streamed else b" ")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@dataclass(frozen=True)
class Server:
    base_url: str
    api_key: str = "any"

    def check_alive(self) -> None:
        """It lives."""


@pytest.fixture
def client() -> Iterator[Client]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    server.ended = threading.Event()  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    asking = Client(Server(f"http://127.0.0.1:{server.server_address[1]}/v1"), 0.3, lambda _: None)
    yield asking
    asking.close()
    server.ended.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("how", ["ask", "stream"])
def test_what_drips_for_ever_ends_at_the_timeout(client: Client, how: str) -> None:
    began = time.monotonic()
    with pytest.raises(RequestError, match=r"no whole answer within 0\.3 s"):
        getattr(client, how)([{"role": "user", "content": "x"}])
    assert time.monotonic() - began < 5
