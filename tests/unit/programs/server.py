"""A process with lmdeploy's two start-up paths and the faults of a real one, each a switch. Standard library only."""

import argparse
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--pids", type=Path, required=True, help="file that gets the pids of this, its parent, its family")
parser.add_argument("--port", type=int, help="without one it serves nothing and waits")
parser.add_argument("--load", type=float, default=0.0, help="seconds before it listens")
parser.add_argument("--fall-back", action="store_true", help="to another engine, which its log tells")
parser.add_argument("--ignore-signals", action="store_true")
parser.add_argument("--family", action="store_true", help="a child, and a setsid grandchild whose parent has gone")
parser.add_argument("--exit", type=int, default=0, help="exit code where SIGINT ends it")
parser.add_argument("--raise", dest="raised", type=int, help="number of the signal that it sends itself at once")
parser.add_argument("--api-keys", nargs="*", default=[], help="as lmdeploy's; told to the log, as no server should")
arguments = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            print("RuntimeError: CUDA error: misaligned address", flush=True)
            os._exit(3)
        if self.path == "/health":
            self.reply(200, {})
        elif arguments.api_keys and self.headers["Authorization"] not in [
            f"Bearer {key}" for key in arguments.api_keys
        ]:
            self.reply(401, {"message": "Unauthorized"})
        else:
            self.reply(200, {"object": "list", "data": [{"id": "fake-chat"}]})

    def reply(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def fork(session: bool) -> int:
    pid = os.fork()
    if pid == 0:
        if session:
            os.setsid()
        time.sleep(600)
        os._exit(0)
    return pid


def orphan() -> int:
    """A process in a session of its own; its parent, which started it, has ended."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.write(writer, str(fork(session=True)).encode())
        os._exit(0)
    os.waitpid(middle, 0)
    return int(os.read(reader, 20))


def finish(_number: int, _frame: object) -> None:
    print("stopped cleanly", flush=True)
    os._exit(arguments.exit)


signal.signal(signal.SIGINT, finish)
if arguments.ignore_signals:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
pids = [os.getpid(), os.getppid()]
if arguments.family:
    pids += [fork(session=False), orphan()]
with arguments.pids.open("a") as file:
    file.write("".join(f"{pid}\n" for pid in pids))  # from here on it may be told to stop
if arguments.raised is not None:
    signal.raise_signal(arguments.raised)
while arguments.port is None:
    signal.pause()
print(*(f"{name}={os.environ.get(name)}" for name in ("EXTRA", "INHERITED", "PYTHONUNBUFFERED")), flush=True)
if arguments.api_keys:
    print(f"/home/someone/models/m asks for {arguments.api_keys}", flush=True)
print(f"loading, stdin says {sys.stdin.read()!r}", flush=True)
if arguments.fall_back:
    # With a colour, as lmdeploy writes it up to 0.5.
    print("lmdeploy - \x1b[33mWARNING\x1b[0m - Fallback to pytorch engine because turbomind is not built.", flush=True)
time.sleep(arguments.load)
ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler).serve_forever()
