"""A process with a child, a setsid grandchild whose parent has gone, and switches for how it ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--pids", type=Path, required=True, help="file that gets all pids, complete when it appears")
parser.add_argument("--ignore-signals", action="store_true")
parser.add_argument("--exit", type=int, help="exit code, at once")
parser.add_argument("--kill-self", action="store_true")
arguments = parser.parse_args()


def fork(session: bool) -> int:
    pid = os.fork()
    if pid == 0:
        if session:
            os.setsid()
        time.sleep(600)
        os._exit(0)
    return pid


if arguments.ignore_signals:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
child = fork(session=False)
reader, writer = os.pipe()
middle = os.fork()
if middle == 0:
    os.write(writer, str(fork(session=True)).encode())
    os._exit(0)
orphan = int(os.read(reader, 20))
os.waitpid(middle, 0)
partial = arguments.pids.with_suffix(".partial")
partial.write_text(f"{os.getpid()}\n{child}\n{orphan}\n")
try:
    partial.rename(arguments.pids)  # from here on it may be told to stop
    if arguments.exit is not None:
        sys.exit(arguments.exit)
    if arguments.kill_self:
        os.kill(os.getpid(), signal.SIGKILL)
    while True:  # a SIGINT that comes just before a sleep is heard behind it
        time.sleep(0.05)
except KeyboardInterrupt:
    print("stopped cleanly", flush=True)
    sys.exit(5)
