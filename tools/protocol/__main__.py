"""Record what a running server answers: `python -m tools.protocol --url http://127.0.0.1:23333 --out FILE`."""

import argparse
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from tools.protocol.recording import CASES, ask
from tools.records import head_now, write


def main() -> None:
    """Ask every case in turn and write one JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tools.protocol", description=__doc__)
    parser.add_argument("--url", required=True, help="the server, such as http://127.0.0.1:23333")
    parser.add_argument("--out", required=True, type=Path, help="the JSON file to write")
    arguments = parser.parse_args()
    address = urlsplit(arguments.url)
    if address.hostname is None or address.port is None:
        parser.error(f"--url: {arguments.url} has no host or no port")
    answers = [asdict(ask(address.hostname, address.port, case)) for case in CASES]
    command = f"python -m tools.protocol --url {arguments.url} --out {arguments.out.name}"
    write(arguments.out, {**head_now(command), "answers": answers})
    for answer in answers:
        print(f"{answer['status']} {answer['name']}")


if __name__ == "__main__":
    main()
