"""Run a command and record what it took: `python -m tools.timed --out FILE [--folder PATH] -- COMMAND ...`.

Seconds on the wall clock and of processors, bytes received over the network meanwhile, and the size of a folder
that the command filled. Linux only; the network figure counts everything that the machine received.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any


def received_bytes() -> int:
    """Bytes received by all interfaces but loopback since boot."""
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()[2:]
    counters = (line.partition(":") for line in lines)
    return sum(int(figures.split()[0]) for name, _, figures in counters if name.strip() != "lo")


def folder_bytes(folder: Path) -> int:
    """Bytes on disk below a folder; a file with several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def processor_seconds() -> float:
    """Of the programs that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(command: list[str], folder: Path | None) -> dict[str, Any]:
    """Run the command and return the record. Its output goes where this program's goes."""
    received, started, worked = received_bytes(), time.monotonic(), processor_seconds()
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    exit_code = subprocess.run(command, check=False).returncode
    seconds, worked = time.monotonic() - started, processor_seconds() - worked
    return {
        "command": shlex.join(command),
        "date": date,
        "versions": {"python": platform.python_version()},
        "hardware": {"machine": platform.machine(), "processors": os.cpu_count()},
        "exit_code": exit_code,
        "seconds": round(seconds, 1),
        "processor_seconds": round(worked, 1),
        "received_mib": round((received_bytes() - received) / 2**20, 1),
        "folder_mib": None if folder is None else round(folder_bytes(folder) / 2**20, 1),
    }


def main() -> None:
    """Command line; exits as the command did."""
    parser = argparse.ArgumentParser(prog="python -m tools.timed", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the JSON record to write")
    parser.add_argument("--folder", type=Path, help="a folder whose size is measured afterwards")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command")
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("no command: give it after --")
    record = measure(command, arguments.folder)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    sys.exit(record["exit_code"])


if __name__ == "__main__":
    main()
