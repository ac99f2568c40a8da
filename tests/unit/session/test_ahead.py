"""Imports ahead: begun at once, and never an error of their own."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer

import pytest

from fixtures.session.ahead import import_ahead
from tests.unit.programs.chat_server import Chat
from tests.unit.waiting import ROOT

COLORSYS = partial(importlib.import_module, "colorsys")

FIRST_REQUEST = """
import json, sys, types
from fixtures.session import ahead
from fixtures.ask.endpoint import client
ahead.import_ahead().join()
before = set(sys.modules)
server = types.SimpleNamespace(base_url=sys.argv[1], api_key="any", check_alive=lambda: None)
answer = client.Client(server, 9.0, lambda _: None).ask([{"role": "user", "content": "good"}])
import fixtures.report.page, fixtures.report.console, fixtures.report.post, fixtures.report.verification
print(json.dumps([answer.text, sorted(set(sys.modules) - before)]))
"""


ENDS_MEANWHILE = """
import time
from fixtures.session.ahead import import_ahead

def first():
    time.sleep(0.3)
    print("first", flush=True)

import_ahead([first, lambda: print("second", flush=True)])
"""


@pytest.fixture
def base_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Chat) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


def test_modules_are_there_when_the_thread_ends() -> None:
    sys.modules.pop("colorsys", None)
    import_ahead([COLORSYS]).join(10)
    assert "colorsys" in sys.modules


def test_what_cannot_be_imported_is_left_to_whoever_needs_it() -> None:
    sys.modules.pop("colorsys", None)
    thread = import_ahead([partial(importlib.import_module, "no_such_module_here"), COLORSYS])
    thread.join(10)
    assert not thread.is_alive()
    assert "colorsys" in sys.modules


def test_a_program_that_ends_meanwhile_waits_for_one_import_alone() -> None:
    """A run whose server did not start once ended with SIGSEGV, and this thread was all that was left of it."""
    argv = [sys.executable, "-c", ENDS_MEANWHILE]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["first"]


def test_a_first_request_and_a_report_find_all_but_a_trifle_imported(base_url: str) -> None:
    argv = [sys.executable, "-c", FIRST_REQUEST, base_url]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    text, late = json.loads(done.stdout)
    assert text
    assert [name for name in late if name.partition(".")[0] in ("openai", "httpcore", "httpcore2", "fixtures")] == []
    assert len(late) < 10, late
