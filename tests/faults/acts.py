"""How a fault is made that takes more than a switch of the stand-in, an argument or a variable: files broken, signals
sent, resources taken away.

An act prepares the stage. One that yields goes on while pytest runs.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Final

import pynvml

from fixtures.process.port import free_port
from fixtures.standin.checkpoint import ARCHITECTURE, STANDIN
from tests.faults.environment import Environment, copied, create
from tests.faults.stage import Act, Stage
from tests.unit.waiting import eventually
from tools.artefact.corruptions import LFS_POINTER, SHARDS, in_shards
from tools.artefact.stored import WEIGHTS

Step = Callable[[Path], object]
"""One thing that is done to a folder."""

POINTER: Final = LFS_POINTER.encode()
WAIT_S: Final = 60.0
wait: Final = partial(eventually, within=WAIT_S)


def edited(name: str, change: Callable[[bytes], bytes]) -> Step:
    """Change the bytes of the one file below a folder that the pattern finds."""

    def edit(folder: Path) -> None:
        (file,) = folder.glob(name)
        file.write_bytes(change(file.read_bytes()))

    return edit


def removed(name: str) -> Step:
    return lambda folder: (folder / name).unlink()


cut: Final = itemgetter(slice(-1000))
beginning: Final = itemgetter(slice(100))


def replaced(before: str, after: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert before.encode() in content
        return content.replace(before.encode(), after.encode())

    return change


def _altered(content: bytes) -> bytes:
    """One byte in the middle: the same size, the same header."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


FIRST, SECOND = SHARDS


def stand_in(folder: Path) -> None:
    """The stand-in's checkpoint."""
    shutil.copytree(STANDIN, folder)


def sharded(folder: Path) -> None:
    """The same in two files with an index."""
    stand_in(folder)
    in_shards({shard: shard for shard in SHARDS})(folder)


def checkpoint(*steps: Step) -> Act:
    """A checkpoint of the right name, made and broken step by step."""

    def act(stage: Stage) -> None:
        folder = stage.folder / "internlm2_5-chat"
        for step in steps:
            step(folder)
        stage.options["--checkpoint"] = str(folder)

    return act


ONE_TENSOR_MORE: Final = f'{{"model.layers.23.attention.wo.weight": "{FIRST}", '


def environment(*steps: Callable[[Environment], object]) -> Act:
    """An environment of its own, broken step by step."""

    def act(stage: Stage) -> None:
        stage.environment = stage.environment.copy(stage.folder / "environment")
        for step in steps:
            step(stage.environment)
        # Whoever runs the tests may have an lmdeploy on PATH.
        folders = stage.variables["PATH"].split(os.pathsep)
        stage.variables["PATH"] = os.pathsep.join(each for each in folders if not Path(each, "lmdeploy").exists())

    return act


def _without_program(environment: Environment) -> None:
    environment.program.unlink()


def stranger_on_the_port(stage: Stage) -> None:
    """The port is taken before the server starts."""
    stranger = stage.after.enter_context(socket.create_server(("127.0.0.1", 0)))
    stage.options["--server-port"] = str(stranger.getsockname()[1])


def stranger_comes(stage: Stage) -> Iterator[None]:
    """The port is taken while the server, which never listens, loads."""
    port = free_port("127.0.0.1")
    stage.options["--server-port"] = str(port)
    yield
    wait(stage.moment.exists)
    with socket.create_server(("127.0.0.1", port)):
        stage.happens()
        stage.process.wait()


def gpu(name: str, content: object = "") -> Act:
    """A file that says something about the GPU, see `nvml.py`."""
    return lambda stage: stage.set_gpu(name, content)


def while_serving(name: str, content: object = "") -> Act:
    """The same, once the server has taken its memory."""

    def act(stage: Stage) -> Iterator[None]:
        yield
        wait(lambda: any((stage.gpu / "processes").iterdir()))
        stage.happens()
        stage.set_gpu(name, content)

    return act


def cached(step: Step) -> Act:
    """Something happens to the cached checkpoint between two runs."""

    def act(stage: Stage) -> None:
        step(_cached(stage))

    return act


def _cached(stage: Stage) -> Path:
    (place,) = (path for path in (stage.work / "quantized").iterdir() if path.is_dir())
    return place


def mount(stage: Stage, at: Path, *arguments: str) -> None:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(at)], check=True)
    stage.after.callback(subprocess.run, ["umount", str(at)], check=True)


def small_disk(stage: Stage, at: Path, size: str) -> None:
    mount(stage, at, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")


def no_space_for_the_result(stage: Stage) -> None:
    """A small disk for the work directory."""
    small_disk(stage, stage.work, "9m")
    (stage.work / "something else").write_bytes(bytes(8 << 20))


def no_space_for_the_events(stage: Stage) -> Iterator[None]:
    """A small disk for the evidence, which something else fills up while the server answers."""
    small_disk(stage, stage.evidence, "256k")
    yield
    wait(stage.moment.exists)
    stage.happens()
    with contextlib.suppress(OSError), (stage.evidence / "something else").open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(512))


def read_only_cache(stage: Stage) -> None:
    """The work directory of somebody else."""
    mount(stage, stage.work, "--bind", str(stage.work))
    subprocess.run(["mount", "-o", "remount,bind,ro", str(stage.work)], check=True)


def two_runs(stage: Stage) -> Iterator[None]:
    """A second run, with evidence of its own."""
    other = stage.another("other").start()
    yield
    assert other.wait(WAIT_S) == 0
    stage.process.wait(WAIT_S)
    assert _cached(stage), "there is one for both"


def killed_while_quantizing(stage: Stage) -> None:
    """An earlier run was killed; this one must recover."""
    before = stage.another("earlier")
    earlier = before.start()
    wait(before.moment.exists)
    earlier.kill()
    earlier.wait()
    wait(lambda: not stage.left())
    assert list(stage.work.glob("quantized/*.partial-*")), "nothing was left to be swept away"
    stage.variables["FAULT"] = ""


def signalled(number: signal.Signals) -> Act:
    """A signal to pytest, when the stand-in has made it wait."""

    def act(stage: Stage) -> Iterator[None]:
        yield
        wait(stage.moment.exists)
        stage.happens()
        stage.process.send_signal(number)

    return act


def odd_path(stage: Stage) -> None:
    """The whole suite is copied, since its own path counts too."""
    root = copied(stage.folder / "我的 作业 (1)")
    stage.environment = create(stage.folder / "environment", root)
    shutil.copytree(stage.work, root / "缓存 work")
    stage.options["--work-dir"] = "缓存 work"


def without_cache(stage: Stage) -> None:
    """pytest's cache is where pytest-xprocess keeps its files."""
    del stage.options["-o"]


def forged(step: Step) -> Act:
    """Somebody edits the evidence of a failed run when it is over."""

    def act(stage: Stage) -> Iterator[None]:
        yield
        stage.process.wait(WAIT_S)
        step(stage.evidence)

    return act


def old_report(stage: Stage) -> Iterator[None]:
    """`--html` names a report that an earlier run left, and this run is killed."""
    report = stage.folder / "report.html"
    report.write_text("ACCEPTED", encoding="utf-8")
    stage.options["--html"] = str(report)
    yield from signalled(signal.SIGKILL)(stage) or ()
    stage.process.wait()
    assert "ACCEPTED" not in report.read_text(encoding="utf-8")


ACTS: Final[dict[str, Act]] = {
    # The checkpoint
    "checkpoint-missing": checkpoint(),
    "checkpoint-dangling-link": checkpoint(lambda path: path.symlink_to("/nowhere/internlm2_5-chat")),
    "checkpoint-is-a-file": checkpoint(Path.touch),
    "lfs-pointer": checkpoint(stand_in, edited(WEIGHTS, lambda _: POINTER)),
    "lfs-pointer-tokenizer": checkpoint(stand_in, edited("tokenizer.json", lambda _: POINTER)),
    "shard-truncated": checkpoint(sharded, edited(SECOND, cut)),
    "shard-missing": checkpoint(sharded, removed(SECOND)),
    "shard-too-long": checkpoint(sharded, edited(SECOND, lambda content: content + bytes(8))),
    "index-of-another-download": checkpoint(
        sharded, edited("*.index.json", replaced('"weight_map": {', f'"weight_map": {ONE_TENSOR_MORE}'))
    ),
    "config-not-json": checkpoint(stand_in, edited("config.json", beginning)),
    "config-missing": checkpoint(stand_in, removed("config.json")),
    "another-architecture": checkpoint(stand_in, edited("config.json", replaced(ARCHITECTURE, "GPT2LMHeadModel"))),
    "tokenizer-missing": checkpoint(stand_in, removed("tokenizer.json")),
    "weights-missing": checkpoint(stand_in, removed(WEIGHTS)),
    # The launch
    "lmdeploy-not-installed": environment(lambda own: shutil.rmtree(own.distribution("lmdeploy")), _without_program),
    "lmdeploy-too-old": environment(lambda own: own.set_version("lmdeploy", "0.4.2")),
    "program-missing": environment(_without_program),
    "stranger-on-the-port": stranger_on_the_port,
    "stranger-comes-while-loading": stranger_comes,
    # The GPU
    "out-of-memory-at-start": gpu("others", 23800),
    "another-program-comes": while_serving("others", 8192),
    "gpu-lost": while_serving("error", pynvml.NVML_ERROR_GPU_IS_LOST),
    "gpu-hangs": while_serving("hang"),
    "memory-not-available": while_serving("unavailable"),
    "nvml-missing": gpu("init", pynvml.NVML_ERROR_LIBRARY_NOT_FOUND),
    "driver-not-loaded": gpu("init", pynvml.NVML_ERROR_DRIVER_NOT_LOADED),
    "driver-updated": gpu("init", pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH),
    "no-gpu": lambda stage: stage.set_card(count=0),
    # The suite is told to look at the second card, the server uses the first.
    "another-gpu-measured": lambda stage: stage.set_card(count=2),
    # The cache of an earlier run
    "cached-weights-truncated": cached(edited(f"*/{WEIGHTS}", cut)),
    "cached-weights-altered": cached(edited(f"*/{WEIGHTS}", _altered)),
    "cached-note-broken": cached(edited("made.json", beginning)),
    # The machine
    "no-space-for-the-result": no_space_for_the_result,
    # The log of events fits, the report does not.
    "no-space-for-the-evidence": lambda stage: small_disk(stage, stage.evidence, "96k"),
    "no-space-for-the-events": no_space_for_the_events,
    "read-only-cache": read_only_cache,
    "file-size-limited": lambda stage: stage.prefix.extend(("prlimit", f"--fsize={256 << 10}")),
    "two-runs-on-one-cache": two_runs,
    "pytest-killed-while-quantizing": killed_while_quantizing,
    "pytest-interrupted-while-quantizing": signalled(signal.SIGINT),
    "pytest-interrupted-while-starting": signalled(signal.SIGINT),
    "pytest-terminated-in-mid-request": signalled(signal.SIGTERM),
    "pytest-killed-in-mid-request": signalled(signal.SIGKILL),
    "path-with-spaces-and-chinese": odd_path,
    # The report
    "run-without-cache-plugin": without_cache,
    "evidence-edited": forged(edited("*/events.jsonl", replaced('"outcome": "failed"', '"outcome": "passed"'))),
    "report-edited": forged(edited("*/report.html", replaced("3+5", "3+6"))),
    "old-report-in-place": old_report,
}
