"""A quantized stand-in and its rehearsal server, made once, and whole runs of the suite. Needs lmdeploy and no GPU."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence import read
from fixtures.report.summary import RunSummary, summarize
from fixtures.session.expression import asks_for
from fixtures.standin.checkpoint import STANDIN

ROOT = Path(__file__).parents[2]
MODEL_NAME = "internlm2_5-1_8b-chat"

QUANTIZE_TIMEOUT_S = 240
"""Measured 16 s of processor time; the rest is for a machine that is busy with other things."""
READY_TIMEOUT_S = 120
"""Measured 12 s of processor time, nearly all of it imports."""
REQUEST_TIMEOUT_S = 120
STOP_TIMEOUT_S = 20
RUN_TIMEOUT_S = 900
"""For a whole run of the suite: one to two minutes on an idle machine of two cores."""

REHEARSED = ("--rehearse", "--checkpoint=standin", "--calibration=local")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave this folder alone unless it is asked for."""
    return None if asks_for(config.option.markexpr, "rehearsal") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("rehearsal")


@dataclass(frozen=True)
class Server:
    """A running rehearsal server."""

    url: str
    pid: int

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status code and JSON body of the answer."""
        import requests  # only where these tests run

        answer = requests.post(self.url + path, json=body, timeout=REQUEST_TIMEOUT_S)
        return answer.status_code, answer.json()

    def chat(self, prompt: str, **parameters: Any) -> tuple[int, dict[str, Any]]:
        """One chat completion."""
        messages = [{"role": "user", "content": prompt}]
        return self.post("/v1/chat/completions", {"model": MODEL_NAME, "messages": messages, **parameters})


@dataclass(frozen=True)
class Run:
    """A finished run of the suite, and the folder of its evidence."""

    status: int
    output: str
    folder: Path

    @cached_property
    def summary(self) -> RunSummary:
        """The run as its evidence tells it."""
        return summarize(read(self.folder))


def run_suite(folder: Path, *options: str, work: Path | None = None, **environment: str) -> Run:
    """Run the suite in a process of its own, with its evidence and caches below `folder`.

    :param work: the work directory, where several runs share one.
    """
    command = [sys.executable, "-m", "pytest", "tests", "--report-pictures=off", "--report-lang=en"]
    command += [f"--evidence-dir={folder / 'evidence'}", f"--work-dir={work or folder / 'work'}"]
    done = subprocess.run(
        [*command, "-o", f"cache_dir={folder / 'cache'}", *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    output = done.stdout + done.stderr
    events = next((folder / "evidence").glob("*/events.jsonl"), None)
    assert events is not None, output[-3000:]
    return Run(done.returncode, output, events.parent)


def environment(cache: Path) -> dict[str, str]:
    """For the launcher in any folder: it is found, and no hub is asked for anything."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(cache),
    }


def quantize(model: Path, folder: Path, cache: Path, *arguments: str) -> None:
    """`lite auto_awq` on the CPU, calibrated with a local folder under the name of lmdeploy's default data set."""
    texts = folder / "wikitext"
    texts.mkdir(parents=True)
    splits = "".join(f"  - split: {name}\n    path: text.jsonl\n" for name in ("train", "test", "validation"))
    front_matter = f"---\nconfigs:\n- config_name: wikitext-2-raw-v1\n  data_files:\n{splits}---\n"
    (texts / "README.md").write_text(front_matter)
    line = json.dumps({"text": "狐狸 和 西瓜 Compute (3+5)*2 add multiply " * 8})
    (texts / "text.jsonl").write_text(f"{line}\n" * 200)
    command = [sys.executable, "-m", "fixtures.rehearsal", "lite", "auto_awq", str(model)]
    command += ["--work-dir", str(folder / "awq"), "--calib-samples", "8", "--calib-seqlen", "128"]
    finished = subprocess.run(
        [*command, "--trust-remote-code", *arguments],
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=QUANTIZE_TIMEOUT_S,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]


def serve(model: Path, log: Path, cache: Path, *arguments: str) -> Iterator[Server]:
    """A rehearsal server with the homework's flags, until the generator is closed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fixtures.rehearsal", "serve", "api_server", str(model)]
    command += ["--model-name", MODEL_NAME, "--model-format", "awq", "--quant-policy", "4"]
    command += ["--cache-max-entry-count", "0.4", "--tp", "1", "--tool-call-parser", "internlm"]
    command += ["--server-name", "127.0.0.1", "--server-port", str(port), "--trust-remote-code", *arguments]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment(cache), stdout=output, stderr=output, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, process, log)
        yield Server(url, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until `/health` answers; fails with the log when the server exits or takes too long."""
    import requests  # only where these tests run

    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/health", timeout=5).ok:
                return
        time.sleep(0.1)
    pytest.fail(f"not ready after {READY_TIMEOUT_S} s:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which transformers keeps its copies of modeling files."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="session")
def quantized(tmp_path_factory: pytest.TempPathFactory, hub_cache: Path) -> Path:
    """The stand-in, quantized by lmdeploy on the CPU."""
    folder = tmp_path_factory.mktemp("quantized")
    quantize(STANDIN, folder, hub_cache)
    return folder / "awq"


@pytest.fixture(scope="session")
def server(quantized: Path, tmp_path_factory: pytest.TempPathFactory, hub_cache: Path) -> Iterator[Server]:
    """Four handles, so that sixteen requests must wait for one another and a lost handle is felt."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    yield from serve(quantized, log, hub_cache, "--max-batch-size", "4")
