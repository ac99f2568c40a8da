"""A server that somebody else runs: reached, refused, and what is not measured about it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from fixtures.errors import ServerDied
from fixtures.process.port import free_port
from fixtures.server.external_server import ExternalServer
from tests.unit.leaks import leaks
from tests.unit.programs.chat_server import Chat


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_server_that_lists_its_models_is_alive(address: str) -> None:
    for server in (ExternalServer(f"{address}/v1", "any"), ExternalServer(f"{address}/guarded/v1", "right-key")):
        assert server.check_alive() is None  # raises where it is not


def test_a_refused_key_is_told_and_not_shown(address: str) -> None:
    server = ExternalServer(f"{address}/guarded/v1", "wrong-key")
    with pytest.raises(ServerDied, match="HTTP 401") as refused:
        server.check_alive()
    assert "--api-key" in str(refused.value)
    assert "wrong-key" not in str(refused.value) + repr(server)


def test_an_address_where_nothing_listens_is_told() -> None:
    with pytest.raises(ServerDied, match=r"does not answer.*refused"):
        ExternalServer(f"http://127.0.0.1:{free_port('127.0.0.1')}/v1", "any").check_alive()


ROOT = Path(__file__).parents[3]
CLAIMS = ("test_server.py", "test_vram.py", "test_quantization.py", "test_environment.py")


def test_claims_about_the_process_are_not_measured_and_the_api_is(address: str, tmp_path: Path) -> None:
    files = [f"tests/acceptance/{name}" for name in CLAIMS]
    key, token = "right-key-that-is-secret", "token-of-the-hub-0123"
    options = [f"--base-url={address}/v1", "--api-key", key, f"--evidence-dir={tmp_path / 'evidence'}"]
    options += ["-o", f"cache_dir={tmp_path / 'cache'}", "-rs", "--report-pictures=off"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *files, "-m", "gpu", *options],
        cwd=ROOT, env={**os.environ, "HF_TOKEN": token}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "1 passed, 8 skipped" in done.stdout, done.stdout + done.stderr
    (kept,) = (tmp_path / "evidence").iterdir()
    assert "--api-key" in (kept / "report.json").read_text(encoding="utf-8")
    assert leaks(kept, [key, token]) == []
    assert key not in done.stdout
    assert "not measured: the server at --base-url is not this suite's" in done.stdout
