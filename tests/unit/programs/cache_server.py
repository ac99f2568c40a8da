"""An api_server with a KV cache and nothing else: takes lmdeploy's arguments, takes 'memory', logs, counts and streams.

Its memory is a figure in a file named by its pid in $VRAM_LEDGER: gone when the process is. CHEAT_SHARE and
CHEAT_QUANT_POLICY make it break its promise; LEAK_MIB is what every request leaves behind.
"""

import argparse
import json
import os
import signal
import threading
import time
from contextlib import suppress
from http.server import ThreadingHTTPServer
from pathlib import Path

from fixtures.gpu.memory_model import OVERHEAD, Geometry, Knobs, kv_bytes_per_token, kv_capacity_tokens
from tests.unit.serving import Answering

parser = argparse.ArgumentParser()
parser.add_argument("serve")
parser.add_argument("api_server")
parser.add_argument("model", type=Path)
parser.add_argument("--model-format")
parser.add_argument("--quant-policy", type=int)
parser.add_argument("--cache-max-entry-count", type=float)
parser.add_argument("--server-port", type=int)
parser.add_argument("--model-name")
arguments, _ = parser.parse_known_args()

LEDGER = Path(os.environ["VRAM_LEDGER"])
GEOMETRY = Geometry.of(json.loads((arguments.model / "config.json").read_text()))
KNOBS = Knobs(
    float(os.environ.get("CHEAT_SHARE", arguments.cache_max_entry_count)),
    int(os.environ.get("CHEAT_QUANT_POLICY", arguments.quant_policy)),
)
WEIGHTS_MIB = float((arguments.model / "weights_mib").read_text())
REST = OVERHEAD["w4a16" if arguments.model_format == "awq" else "bf16"]
FREE_MIB = float(os.environ["VRAM_FREE"]) - WEIGHTS_MIB - REST.context_mib
KV_MIB = KNOBS.share * FREE_MIB
CAPACITY = kv_capacity_tokens(KV_MIB, GEOMETRY, KNOBS)
LEAK_MIB = float(os.environ.get("LEAK_MIB", "0"))
CHARACTERS_PER_TOKEN = 4
STEP = 0.05
"""Seconds per token of an answer."""

lock = threading.Lock()
held = 0
leaked = 0.0
usage = 0.0


def use(mib: float) -> None:
    """Write the memory in use; whoever reads at this moment finds the old figure or the new one."""
    note = LEDGER.with_name(f"note-{os.getpid()}")
    note.write_text(str(mib))
    note.replace(LEDGER / str(os.getpid()))


def refresh() -> None:
    global usage
    while True:
        time.sleep(0.1)
        usage = held / CAPACITY


class Handler(Answering):
    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(200, f'# TYPE g gauge\nlmdeploy:gpu_cache_usage_perc{{engine="0"}} {usage}\n')
        else:
            self._send(200, {"object": "list", "data": [{"id": arguments.model_name}]})

    def do_POST(self) -> None:
        request = self._asked()
        tokens = len(request["messages"][0]["content"]) // CHARACTERS_PER_TOKEN + 10
        global leaked
        with lock:
            leaked += LEAK_MIB
            use(WEIGHTS_MIB + REST.context_mib + KV_MIB + REST.workspace_mib + leaked)
        if request.get("stream"):
            self._stream(tokens, request["max_tokens"])
        else:
            counts = {"prompt_tokens": tokens, "completion_tokens": 1}
            self._send(200, {"choices": [{"message": {"content": "x"}}], "usage": counts})

    def _stream(self, tokens: int, answer: int) -> None:
        global held
        while True:
            with lock:
                if held + tokens <= CAPACITY:
                    held += tokens
                    break
            time.sleep(STEP)
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # who hangs up gives its room back
            for _ in range(answer):
                self.wfile.write(b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n')
                held += 1
                tokens += 1
                time.sleep(STEP)
        with lock:
            held -= tokens


for mib in (REST.context_mib, REST.context_mib + WEIGHTS_MIB / 2, REST.context_mib + WEIGHTS_MIB):
    use(mib)
    time.sleep(0.1)
block = round(kv_bytes_per_token(GEOMETRY, KNOBS.quant_policy) * 64)
if os.environ.get("TM_LOG_LEVEL") == "INFO":
    line = f"Object cache budget: {KV_MIB:.2f} MB from free {FREE_MIB:.2f} MB and ratio {KNOBS.share:.3f}"
    slab = f"slab_size {256 << 20}, object_size {block}, object_count {(256 << 20) // block}, ratio 0.99"
    os.write(1, f"[TM][INFO] {line}\n[TM][WARN] {slab}\n".encode())
use(WEIGHTS_MIB + REST.context_mib + KV_MIB)
time.sleep(0.1)
if REST.workspace_mib > FREE_MIB - KV_MIB:
    os.write(2, b"terminate called after throwing\n  what():  [TM][ERROR] CUDA runtime error: out of memory\n")
    os.abort()
use(WEIGHTS_MIB + REST.context_mib + KV_MIB + REST.workspace_mib)
ThreadingHTTPServer.request_queue_size = 256
server = ThreadingHTTPServer(("127.0.0.1", arguments.server_port), Handler)
signal.signal(signal.SIGINT, lambda *_: os._exit(0))
threading.Thread(target=refresh, daemon=True).start()
server.serve_forever()
