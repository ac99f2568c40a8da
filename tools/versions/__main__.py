"""`python -m tools.versions renew|help|releases|record|gpu|table`: keep the environments of lmdeploy versions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.errors import AcceptanceError
from fixtures.lmdeploy.versions import HELP, RECORD, ROOT, tried
from tools.versions import installs, locks, releases, table

OK, NEWS, USAGE = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tools.versions", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    renew = commands.add_parser("renew", help="resolve requirements/*.txt again, with uv")
    renew.add_argument("version", nargs="*", help="lmdeploy versions (default: all)")
    renew.add_argument("--upgrade", action="store_true", help="take new releases where the pins allow them")
    commands.add_parser("help", help="write the installed lmdeploy's --help texts to docs/help/VERSION.txt")
    news = commands.add_parser(
        "releases",
        help="tell lmdeploy releases newer than the newest tried, and what their --help changed; exit 1: news",
    )
    news.add_argument(
        "--write", type=Path, metavar="FILE", help="write news, if there are any, to this Markdown file too"
    )
    record = commands.add_parser("record", help="install tox environments, run them, and record what it took")
    record.add_argument("environment", nargs="+", help="such as contract-0.18.0; lmdeploy-VERSION is installed only")
    record.add_argument(
        "--python", default="", help="interpreter, by path or as tox names it (default: the environment's)"
    )
    record.add_argument("--install-only", action="store_true", help="do not run the environment's tests")
    record.add_argument("--keep", action="store_true", help="leave the environment in .tox")
    gpu = commands.add_parser("gpu", help="record the verdict of a GPU run, or why there is none")
    gpu.add_argument("version", help="lmdeploy version")
    gpu.add_argument("--report", type=Path, help="its report.json")
    gpu.add_argument("--none", metavar="REASON", help="why there is no GPU run")
    commands.add_parser("table", help="write the tables of docs/environments.md from the record")
    return top


def main(arguments: Sequence[str]) -> int:
    """The program; returns its exit status: 0 done, 1 news or a failed environment, 2 usage or a failed tool."""
    given = parser().parse_args(arguments)
    try:
        if given.command == "renew":
            for version in given.version or tried():
                locks.renew(version, upgrade=given.upgrade)
                print(f"lmdeploy {version}", flush=True)
        elif given.command == "help":
            print(releases.write_help(HELP).relative_to(ROOT))
        elif given.command == "releases":
            return _releases(given.write)
        elif given.command == "record":
            return _record(given.environment, given.python, install_only=given.install_only, keep=given.keep)
        elif given.command == "gpu":
            installs.record_gpu(RECORD, given.version, report=given.report, none=given.none)
        elif given.command == "table":
            table.write(json.loads(RECORD.read_text(encoding="utf-8")))
    except AcceptanceError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return USAGE
    return OK


def _releases(file: Path | None) -> int:
    found = releases.news(tried(), HELP)
    text = releases.told(found)
    print(text)
    if found and file is not None:
        file.write_text(text + "\n", encoding="utf-8")
    return NEWS if found else OK


def _record(environments: Sequence[str], python: str, *, install_only: bool, keep: bool) -> int:
    wrong = [one for one in environments if one.partition("-")[2] not in tried()]
    if wrong:
        print(f"no such environment: {', '.join(wrong)}", file=sys.stderr)
        return USAGE
    good = True
    for environment in environments:
        done = installs.install(environment, python, install_only=install_only, keep=keep)
        installs.save(RECORD, environment, done)
        print(installs.told(environment, done))
        good = good and done.good
    return OK if good else NEWS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
