"""How each fault is made that is not a switch of the stand-in: files broken, signals sent, resources taken away.

An act prepares the stage; what it returns is done while pytest runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pynvml

from fixtures.standin.checkpoint import STANDIN
from tests.faults.environment import ROOT, create
from tests.faults.stage import Act, During, Stage
from tools.artefact.stored import read_all, write_all

POINTER: Final = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3775137168\n"
WAIT_S: Final = 60.0


def eventually(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s"
        time.sleep(0.02)


def note_moment(stage: Stage) -> None:
    """The fault happens now."""
    (stage.folder / "moment").write_text(str(time.time()))


def impatient(option: str, seconds: str) -> Act:
    """A shorter timeout, where the fault is that something never ends."""

    def act(stage: Stage) -> None:
        stage.options[option] = seconds

    return act


PATIENCE: Final[dict[str, Act]] = {
    "quantizer-hangs": impatient("--quantize-timeout", "3"),
    "loads-for-ever": impatient("--start-timeout", "3"),
    "listens-on-another-port": impatient("--start-timeout", "3"),
    "health-never-200": impatient("--start-timeout", "8"),
    "health-without-answer": impatient("--start-timeout", "8"),
    "hangs-before-the-headers": impatient("--request-timeout", "2"),
    "hangs-after-the-headers": impatient("--request-timeout", "2"),
    "body-never-ends": impatient("--request-timeout", "2"),
    "stream-never-ends": impatient("--request-timeout", "2"),
}


def broken_checkpoint(break_it: Callable[[Path], object]) -> Act:
    """A copy of the stand-in checkpoint, broken."""

    def act(stage: Stage) -> None:
        folder = stage.folder / "internlm2_5-chat"
        shutil.copytree(STANDIN, folder)
        break_it(folder)
        stage.options["--checkpoint"] = str(folder)

    return act


def _sharded(folder: Path) -> None:
    tensors = read_all(folder)
    names = list(tensors)
    placed = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05}-of-00002.safetensors"
        write_all(folder / file, {name: tensors[name] for name in part})
        placed |= dict.fromkeys(part, file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))


def _shard(break_it: Callable[[Path], object]) -> Act:
    def both(folder: Path) -> None:
        _sharded(folder)
        break_it(folder / "model-00002-of-00002.safetensors")

    return broken_checkpoint(both)


def _index_of_another(folder: Path) -> None:
    _sharded(folder)
    index = folder / "model.safetensors.index.json"
    placed = json.loads(index.read_text())
    placed["weight_map"]["model.layers.23.attention.wo.weight"] = "model-00001-of-00002.safetensors"
    index.write_text(json.dumps(placed))


def _llama(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForCausalLM"]}))


def _checkpoint_path(make: Callable[[Path], object]) -> Act:
    def act(stage: Stage) -> None:
        path = stage.folder / "internlm2_5-chat"
        make(path)
        stage.options["--checkpoint"] = str(path)

    return act


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1000)


CHECKPOINT: Final[dict[str, Act]] = {
    "checkpoint-missing": _checkpoint_path(lambda _: None),
    "checkpoint-dangling-link": _checkpoint_path(lambda path: path.symlink_to("/nowhere/internlm2_5-chat")),
    "checkpoint-is-a-file": _checkpoint_path(lambda path: path.write_text("")),
    "lfs-pointer": broken_checkpoint(lambda folder: (folder / "model.safetensors").write_text(POINTER)),
    "lfs-pointer-tokenizer": broken_checkpoint(lambda folder: (folder / "tokenizer.json").write_text(POINTER)),
    "shard-truncated": _shard(_cut),
    "shard-missing": _shard(Path.unlink),
    "shard-too-long": _shard(lambda file: file.write_bytes(file.read_bytes() + b"\0" * 8)),
    "index-of-another-download": broken_checkpoint(_index_of_another),
    "config-not-json": broken_checkpoint(lambda folder: _cut_text(folder / "config.json")),
    "config-missing": broken_checkpoint(lambda folder: (folder / "config.json").unlink()),
    "another-architecture": broken_checkpoint(_llama),
    "tokenizer-missing": broken_checkpoint(lambda folder: (folder / "tokenizer.json").unlink()),
    "weights-missing": broken_checkpoint(lambda folder: (folder / "model.safetensors").unlink()),
}


def _cut_text(file: Path) -> None:
    file.write_text(file.read_text()[:100])


def _own_environment(stage: Stage) -> None:
    stage.environment = stage.environment.copy(stage.folder / "environment")


def not_installed(stage: Stage) -> None:
    """No lmdeploy at all."""
    _own_environment(stage)
    shutil.rmtree(stage.environment.distribution("lmdeploy"))
    stage.environment.program.unlink()
    _without_path(stage)


def too_old(stage: Stage) -> None:
    """lmdeploy 0.4.2 is installed."""
    _own_environment(stage)
    stage.environment.set_version("lmdeploy", "0.4.2")


def program_missing(stage: Stage) -> None:
    """lmdeploy is installed, its program is not."""
    _own_environment(stage)
    stage.environment.program.unlink()
    _without_path(stage)


def _without_path(stage: Stage) -> None:
    """Whoever runs the tests may have an lmdeploy on PATH."""
    stage.variables["PATH"] = os.pathsep.join(
        folder for folder in stage.variables["PATH"].split(os.pathsep) if not Path(folder, "lmdeploy").exists()
    )


STRANGER: Final = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    print("listening", flush=True)
    time.sleep(60)
"""


def _stranger(stage: Stage, port: int) -> subprocess.Popen[bytes]:
    """A program of somebody else's that listens."""
    process = subprocess.Popen([sys.executable, "-S", "-c", STRANGER, str(port)], stdout=subprocess.PIPE)
    stage.after.callback(process.wait)
    stage.after.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stranger_on_the_port(stage: Stage) -> None:
    """The port is taken before the server starts."""
    stage.options["--server-port"] = str(port := _free_port())
    _stranger(stage, port)


def stranger_comes(stage: Stage) -> During:
    """The port is taken while the server, which never listens, loads."""
    stage.variables["FAULT"] = "loads-for-ever"
    stage.options["--server-port"] = str(port := _free_port())

    def during(stage: Stage, process: subprocess.Popen[bytes]) -> None:
        eventually((stage.folder / "moment").exists)
        stranger = _stranger(stage, port)
        note_moment(stage)
        process.wait()
        stranger.kill()
        stranger.wait()

    return during


LAUNCH: Final[dict[str, Act]] = {
    "lmdeploy-not-installed": not_installed,
    "lmdeploy-too-old": too_old,
    "program-missing": program_missing,
    "stranger-on-the-port": stranger_on_the_port,
    "stranger-comes-while-loading": stranger_comes,
}


def _write(name: str, content: object) -> Act:
    def act(stage: Stage) -> None:
        (stage.gpu / name).write_text(str(content))

    return act


def _while_serving(happens: Callable[[Stage], object]) -> Act:
    """Something happens to the GPU once the server has taken its memory."""

    def act(_: Stage) -> During:
        def during(stage: Stage, _: Any) -> None:
            eventually(lambda: any((stage.gpu / "processes").iterdir()))
            note_moment(stage)
            happens(stage)

        return during

    return act


def _visible(value: str) -> Act:
    def act(stage: Stage) -> None:
        stage.variables["CUDA_VISIBLE_DEVICES"] = value

    return act


def another_gpu(stage: Stage) -> None:
    """Two cards; the suite is told to look at the second, the server uses the first."""
    stage.set_card(count=2)
    stage.variables["CUDA_VISIBLE_DEVICES"] = "1"


VRAM: Final[dict[str, Act]] = {
    "out-of-memory-at-start": _write("others", 23800),
    "another-program-comes": _while_serving(lambda stage: (stage.gpu / "others").write_text("8192")),
    "gpu-lost": _while_serving(lambda stage: (stage.gpu / "error").write_text(str(pynvml.NVML_ERROR_GPU_IS_LOST))),
    "gpu-hangs": _while_serving(lambda stage: (stage.gpu / "hang").touch()),
    "memory-not-available": _while_serving(lambda stage: (stage.gpu / "unavailable").touch()),
    "nvml-missing": _write("init", pynvml.NVML_ERROR_LIBRARY_NOT_FOUND),
    "driver-not-loaded": _write("init", pynvml.NVML_ERROR_DRIVER_NOT_LOADED),
    "driver-updated": _write("init", pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH),
    "no-gpu": lambda stage: stage.set_card(count=0),
    "gpu-hidden": _visible(""),
    "gpu-out-of-range": _visible("7"),
    "another-gpu-measured": another_gpu,
}


def dead_proxy(stage: Stage) -> None:
    """Proxies that nobody answers at."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        stage.variables[name] = "http://127.0.0.1:9"


CLIENT: Final[dict[str, Act]] = {"proxy-variables": dead_proxy}


def depth(stage: Stage) -> None:
    """The streams are judged in depth only."""
    stage.arguments = ["tests/acceptance/depth/test_streaming.py", "-m", "gpu or depth"]


def _in_cache(break_it: Callable[[Path], object]) -> Act:
    """Something happens to the cached checkpoint between two runs."""

    def act(stage: Stage) -> None:
        (place,) = (path for path in (stage.work / "quantized").iterdir() if path.is_dir())
        break_it(place)

    return act


def _weights(place: Path) -> Path:
    (file,) = place.glob("*/model.safetensors")
    return file


def _alter(file: Path) -> None:
    """One byte in the middle: the same size, the same header."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)


CACHE: Final[dict[str, Act]] = {
    "cached-weights-truncated": _in_cache(lambda place: _cut(_weights(place))),
    "cached-weights-altered": _in_cache(lambda place: _alter(_weights(place))),
    "cached-note-broken": _in_cache(lambda place: _cut_text(place / "made.json")),
}


def _mount(stage: Stage, *arguments: str, at: Path) -> None:
    subprocess.run(["mount", *arguments, str(at)], check=True)
    stage.after.callback(subprocess.run, ["umount", str(at)], check=True)


def no_space_for_the_result(stage: Stage) -> None:
    """A small disk for the work directory."""
    _mount(stage, "-t", "tmpfs", "-o", "size=9m", "tmpfs", at=stage.work)
    (stage.work / "something else").write_bytes(bytes(8 << 20))


def no_space_for_the_evidence(stage: Stage) -> None:
    """A small disk for the evidence: the log of events fits, the report does not."""
    stage.evidence.mkdir()
    _mount(stage, "-t", "tmpfs", "-o", "size=96k", "tmpfs", at=stage.evidence)


def no_space_for_the_events(stage: Stage) -> During:
    """A small disk for the evidence, which something else fills up while the server answers."""
    stage.evidence.mkdir()
    _mount(stage, "-t", "tmpfs", "-o", "size=256k", "tmpfs", at=stage.evidence)
    stage.variables["FAULT"] = "hangs-before-the-headers"
    stage.options["--request-timeout"] = "2"

    def during(stage: Stage, _: Any) -> None:
        eventually(lambda: _moment(stage))
        note_moment(stage)
        with contextlib.suppress(OSError), (stage.evidence / "something else").open("wb", buffering=0) as filling:
            while True:
                filling.write(bytes(512))

    return during


def read_only_cache(stage: Stage) -> None:
    """The work directory of somebody else."""
    _mount(stage, "--bind", str(stage.work), at=stage.work)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(stage.work)], check=True)


def file_size_limited(stage: Stage) -> None:
    """`ulimit -f`: what is too large is killed by SIGXFSZ."""
    stage.prefix = ["prlimit", f"--fsize={256 << 10}"]


def two_runs(stage: Stage) -> During:
    """A second run, with evidence of its own."""
    other = stage.another("other").start()

    def during(_: Stage, process: subprocess.Popen[bytes]) -> None:
        assert other.wait(WAIT_S) == 0
        process.wait(WAIT_S)
        made = [path for path in (stage.work / "quantized").iterdir() if path.is_dir()]
        assert len(made) == 1

    return during


def killed_while_quantizing(stage: Stage) -> None:
    """An earlier run was killed; this one must recover."""
    before = stage.another("earlier")
    earlier = before.start()
    eventually((before.folder / "moment").exists)
    earlier.kill()
    earlier.wait()
    eventually(lambda: not stage.left())
    assert list(stage.work.glob("quantized/*.partial-*")), "nothing was left to be swept away"
    stage.variables["FAULT"] = ""


def _when(begun: Callable[[Stage], object], number: signal.Signals, fault: str) -> Act:
    """A signal to pytest, at its moment."""

    def act(stage: Stage) -> During:
        stage.variables["FAULT"] = fault

        def during(stage: Stage, process: subprocess.Popen[bytes]) -> None:
            eventually(lambda: begun(stage))
            note_moment(stage)
            process.send_signal(number)

        return during

    return act


def _moment(stage: Stage) -> bool:
    return (stage.folder / "moment").exists()


def clock_jumps(stage: Stage) -> None:
    """See `clock.py`."""
    stage.variables["PYTEST_PLUGINS"] += ",tests.faults.clock"


def locale_c(stage: Stage) -> None:
    """The environment of a bare container."""
    for name in ("LANG", "LC_ALL", "LC_CTYPE"):
        stage.variables.pop(name, None)
    stage.variables |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def odd_path(stage: Stage) -> None:
    """The whole suite is copied, since its own path counts too."""
    root = stage.folder / "我的 作业 (1)"
    for part in ("fixtures", "tests"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("conftest.py", "pytest.ini"):
        shutil.copyfile(ROOT / file, root / file)
    stage.environment = create(stage.folder / "environment", root)
    shutil.copytree(stage.work, root / "缓存 work")
    stage.options |= {"--work-dir": "缓存 work", "--evidence-dir": str(stage.evidence)}


def home_missing(stage: Stage) -> None:
    """A service account."""
    stage.variables["HOME"] = "/nonexistent"


HOST: Final[dict[str, Act]] = {
    "no-space-for-the-result": no_space_for_the_result,
    "no-space-for-the-evidence": no_space_for_the_evidence,
    "no-space-for-the-events": no_space_for_the_events,
    "read-only-cache": read_only_cache,
    "file-size-limited": file_size_limited,
    "two-runs-on-one-cache": two_runs,
    "pytest-killed-while-quantizing": killed_while_quantizing,
    "pytest-interrupted-while-quantizing": _when(_moment, signal.SIGINT, "quantizer-hangs"),
    "pytest-interrupted-while-starting": _when(_moment, signal.SIGINT, "loads-for-ever"),
    "pytest-terminated-in-mid-request": _when(_moment, signal.SIGTERM, "hangs-before-the-headers"),
    "pytest-killed-in-mid-request": _when(_moment, signal.SIGKILL, "hangs-before-the-headers"),
    "clock-jumps": clock_jumps,
    "locale-c": locale_c,
    "path-with-spaces-and-chinese": odd_path,
    "home-missing": home_missing,
}


def _with(*arguments: str) -> Act:
    def act(stage: Stage) -> None:
        stage.arguments += arguments

    return act


def without_cache(stage: Stage) -> None:
    """pytest's cache is where pytest-xprocess keeps its files."""
    stage.arguments += ["-p", "no:cacheprovider"]
    stage.cache_options = []


def another_kv_cache(stage: Stage) -> None:
    """Another deployment than the homework's."""
    stage.options["--quant-policy"] = "8"


def _edited(name: str, before: str, after: str) -> Act:
    """Somebody edits a file of the evidence when the run is over."""

    def act(stage: Stage) -> During:
        stage.variables["FAULT"] = "add-and-mul-swapped"

        def during(stage: Stage, process: subprocess.Popen[bytes]) -> None:
            process.wait(WAIT_S)
            (file,) = stage.evidence.glob(f"*/{name}")
            text = file.read_text(encoding="utf-8")
            assert before in text
            file.write_text(text.replace(before, after), encoding="utf-8")

        return during

    return act


def old_report(stage: Stage) -> During:
    """`--html` names a report that an earlier run left, and this run is killed."""
    report = stage.folder / "report.html"
    report.write_text("ACCEPTED", encoding="utf-8")
    stage.options["--html"] = str(report)
    killing = _when(_moment, signal.SIGKILL, "hangs-before-the-headers")(stage)

    def during(stage: Stage, process: subprocess.Popen[bytes]) -> None:
        assert killing is not None
        killing(stage, process)
        process.wait()
        assert "ACCEPTED" not in report.read_text(encoding="utf-8")

    return during


REPORT: Final[dict[str, Act]] = {
    "claim-deselected": _with("-k", "not chain"),
    "another-kv-cache": another_kv_cache,
    "run-without-report-plugin": _with("-p", "no:html"),
    "run-without-cache-plugin": without_cache,
    "run-on-two-workers": _with("-n", "2"),
    "option-without-sense": _with("--quant-policy=5"),
    "evidence-edited": _edited("events.jsonl", '"outcome": "failed"', '"outcome": "passed"'),
    "report-edited": _edited("report.html", "3+5", "3+6"),
    "old-report-in-place": old_report,
}

ACTS: Final[dict[str, Act]] = PATIENCE | CHECKPOINT | LAUNCH | VRAM | CLIENT | CACHE | HOST | REPORT
