"""Stands in for lmdeploy under the bare script: notes commands and requests in $NOTES, quantizes and serves nothing."""

import json
import os
import signal
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.unit.serving import Answering


def note(kind: str, what: object) -> None:
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps([kind, what]) + "\n")


CALLED = threading.Event()
"""Somebody has asked with functions."""


class Server(Answering):
    def do_GET(self) -> None:
        note("GET", self.path)
        self._send(200, {})

    def do_POST(self) -> None:
        asked = self._asked()
        note("POST", asked)
        status = os.environ.get("STATUS", "200")
        if "tools" in asked:
            CALLED.set()
        elif os.environ.get("STORY_NEEDS_CALLS") and not CALLED.wait(0.5):
            status = "500"
        else:
            status = os.environ.get("STORY_STATUS", status)
        self._send(int(status), {})


words = sys.argv[1:]
note(" ".join(words[:2]), words[2:])
if words[0] == "lite":
    note("data", sorted(path.name for path in Path.cwd().iterdir()))
    Path(words[words.index("--work-dir") + 1]).mkdir()
elif os.environ.get("DIES"):
    sys.exit("CUDA out of memory")
else:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    server = ThreadingHTTPServer(("127.0.0.1", int(words[words.index("--server-port") + 1])), Server)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        note("stopped", "by SIGINT")
