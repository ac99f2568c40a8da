"""Record what a running server answers: `python -m tools.protocol --url http://127.0.0.1:23333 --out FILE`."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from fixtures.gpu.probe import open_probe
from fixtures.session.environment import record
from tools.protocol.cases import CASES
from tools.protocol.recording import ask


def main() -> None:
    """Ask every case in turn and write one JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tools.protocol", description=__doc__)
    parser.add_argument("--url", required=True, help="the server, such as http://127.0.0.1:23333")
    parser.add_argument("--out", required=True, type=Path, help="the JSON file to write")
    arguments = parser.parse_args()
    address = urlsplit(arguments.url)
    if address.hostname is None or address.port is None:
        parser.error(f"--url: {arguments.url} has no host or no port")
    with open_probe(os.environ, command=None, pattern="", total_gib=None) as gpu:
        environment = record(gpu)
    answers = [asdict(ask(address.hostname, address.port, case)) for case in CASES]
    content = {
        "command": f"python -m tools.protocol --url {arguments.url} --out {arguments.out.name}",
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": environment.versions | {"python": environment.python},
        "gpu": {"name": environment.gpu, "driver": environment.driver, "total_mib": environment.gpu_total_mib},
        "answers": answers,
    }
    arguments.out.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for answer in answers:
        print(f"{answer['status']} {answer['name']}")


if __name__ == "__main__":
    main()
