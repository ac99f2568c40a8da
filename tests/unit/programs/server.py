"""A server with lmdeploy's two start-up paths and the faults of a real one, each a switch. Standard library only."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--pids", type=Path, required=True, help="file that gets the pid of every process started")
parser.add_argument("--load", type=float, default=0.0, help="seconds before it listens")
parser.add_argument("--fall-back", action="store_true", help="to another engine, which its log tells")
parser.add_argument("--ignore-sigint", action="store_true")
parser.add_argument("--setsid-child", action="store_true")
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


def note(pid: int) -> None:
    with arguments.pids.open("a") as file:
        file.write(f"{pid}\n")


def finish(_number: int, _frame: object) -> None:
    print("stopped cleanly", flush=True)
    os._exit(0)


note(os.getpid())
note(os.getppid())
signal.signal(signal.SIGINT, signal.SIG_IGN if arguments.ignore_sigint else finish)
if arguments.ignore_sigint:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if arguments.setsid_child:
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
    note(child.pid)
print(*(f"{name}={os.environ.get(name)}" for name in ("EXTRA", "INHERITED", "PYTHONUNBUFFERED")), flush=True)
if arguments.api_keys:
    print(f"/home/someone/models/m asks for {arguments.api_keys}", flush=True)
print(f"loading, stdin says {sys.stdin.read()!r}", flush=True)
if arguments.fall_back:
    # With a colour, as lmdeploy writes it up to 0.5.
    print("lmdeploy - \x1b[33mWARNING\x1b[0m - Fallback to pytorch engine because turbomind is not built.", flush=True)
time.sleep(arguments.load)
server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
threading.Thread(target=server.serve_forever).start()
