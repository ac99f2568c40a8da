"""`python -m tools.versions missing|renew|help|releases|record`: keep the environments of lmdeploy versions."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.lmdeploy.versions import HELP, missing, tried
from tools.versions import locks, releases


def main(words: Sequence[str]) -> int:
    """Run the program; its exit status is 1 for places that lack a version, for news, or for a failed environment."""
    parser = argparse.ArgumentParser(prog="python -m tools.versions", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    lack = commands.add_parser("missing", help="places that do not know a version yet, with the command for each")
    lack.add_argument("version", nargs="?", help="lmdeploy version (default: the newest that the index offers)")
    renew = commands.add_parser("renew", help="resolve requirements/*.txt again, with uv")
    renew.add_argument("version", nargs="*", default=tried(), help="lmdeploy versions (default: all)")
    renew.add_argument("--upgrade", action="store_true", help="take new releases where the pins allow them")
    commands.add_parser("help", help="write the installed lmdeploy's --help texts to docs/help/VERSION.txt")
    news = commands.add_parser("releases", help="releases newer than the newest tried, and what their --help changed")
    news.add_argument("--write", type=Path, metavar="FILE", help="write news, if there are any, to this file too")
    record = commands.add_parser("record", help="install tox environments, run them, and record what it took")
    known = [f"{kind}-{version}" for version in tried() for kind in ("contract", "lmdeploy")]
    record.add_argument("environment", nargs="+", choices=known, metavar="ENVIRONMENT", help="such as contract-0.18.0")
    record.add_argument("--python", default="", help="interpreter, by path or as tox names it")
    record.add_argument("--install-only", action="store_true", help="do not run the environment's tests")
    record.add_argument("--keep", action="store_true", help="leave the environment in .tox")
    given = parser.parse_args(words)
    failed = False
    if given.command == "missing":
        places = missing(given.version or releases.published()[-1])
        print("\n".join(f"{one.place}  {one.command}".rstrip() for one in places) or "Every place knows it.")
        return int(bool(places))
    if given.command == "renew":
        for version in given.version:
            locks.renew(version, upgrade=given.upgrade)
            print(f"lmdeploy {version}", flush=True)
    elif given.command == "help":
        print(releases.write_help(HELP))
    elif given.command == "releases":
        found = releases.news(tried()[-1], HELP)
        print(found or "No lmdeploy release is newer than the newest tried.")
        if found and given.write is not None:
            given.write.write_text(f"{found}\n", encoding="utf-8")
        return int(bool(found))
    elif given.command == "record":
        from tools.versions import installs  # the environments of locks and releases hold uv, and no pynvml

        for environment in given.environment:
            done = installs.install(environment, given.python, test=not given.install_only, keep=given.keep)
            installs.save(environment, done)
            print(installs.told(environment, done), flush=True)
            failed = failed or bool(done["install_exit"] or (done["tests"] and done["tests"]["exit"]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
