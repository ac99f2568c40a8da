"""Stands in for `lmdeploy lite auto_awq`: writes a tiny W4A16 checkpoint, or misbehaves as AUTO_AWQ says."""

import json
import os
import sys
import time
from pathlib import Path

from tests.unit.tiny_checkpoint import write_checkpoint

mode = os.environ.get("AUTO_AWQ", "")
work_dir = Path(sys.argv[sys.argv.index("--work-dir") + 1])
print("Move model.layers to CPU.", flush=True)
print(f"stdin: {sys.stdin.read()!r}; data: {sorted(p.name for p in Path.cwd().iterdir())}", flush=True)
if mode == "fails":
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
if mode == "hangs":
    time.sleep(60)
quantization = {"quant_method": "awq", "bits": 8 if mode == "8 bits" else 4, "group_size": 128}
write_checkpoint(work_dir, shards=0, quantization_config=quantization)
(work_dir / "inputs_stats.pth").write_bytes(b"statistics")
if mode == "incomplete":
    (work_dir / "model.safetensors").unlink()
if mode == "half":
    (work_dir / "model.safetensors").write_bytes((work_dir / "model.safetensors").read_bytes()[:-2])
with Path(os.environ["RUNS"]).open("a") as runs:
    runs.write(json.dumps(sys.argv[1:]) + "\n")
