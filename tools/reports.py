"""`python -m tools.reports FOLDER ...`: make the pages of committed runs again, from their events, as the suite makes
them now.

report.html (without pytest's own table, which is not in the events), report.json, post.md and the pictures that lie
there are written anew in the language they had, and their digests with them. Nothing is made of a folder that is not as
it was sealed. The pictures of the READMEs, docs/pictures/report-LANGUAGE.png, are made of the first folder.
"""

import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fixtures.evidence import read
from fixtures.evidence.seal import REPORT_FILE, SCHEMA, SEAL_FILE, broken, digest, sealed
from fixtures.report import pictures
from fixtures.report.page import standalone
from fixtures.report.post import post
from fixtures.report.summary import summarize
from fixtures.report.verification import derived
from fixtures.texts import LANGUAGES, Texts
from tools.records import ROOT


def remake(folder: Path) -> None:
    """Make a run's pages again.

    :raises ValueError: a file is not as it was sealed.
    """
    if problems := broken(folder):
        raise ValueError("; ".join(map(str, problems)))
    run, page = summarize(read(folder)), folder / "report.html"
    language = re.findall(r'<html lang="(\w+)"', page.read_text(encoding="utf-8"))[0]
    page.write_text(standalone(run, Texts(language)), encoding="utf-8")
    (folder / REPORT_FILE).write_text(derived(folder, run), encoding="ascii")
    drawn = pictures.take(page, folder) if any(folder.glob("*.png")) else []
    if (folder / "post.md").exists():
        (folder / "post.md").write_text(post(run, Texts(language), drawn), encoding="utf-8")
    digests = {name: digest(folder / name) for name in sealed(folder)}
    (folder / SEAL_FILE).write_text(json.dumps({"schema": SCHEMA, "sha256": digests}, indent=1) + "\n", "ascii")


def picture(folder: Path) -> None:
    """Make the pictures of the READMEs."""
    run = summarize(read(folder))
    for language in LANGUAGES:
        with tempfile.TemporaryDirectory() as drawn:
            page = Path(drawn) / "report.html"
            page.write_text(standalone(run, Texts(language)), encoding="utf-8")
            pictures.draw(page, Path(drawn), pictures.browser() or "chromium")
            (Path(drawn) / "verdict.png").replace(ROOT / "docs" / "pictures" / f"report-{language}.png")


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit status is 1 where a folder was left as it is, 2 without a folder."""
    folders, left = [Path(argument) for argument in arguments], 0
    for folder in folders:
        try:
            remake(folder)
        except (OSError, ValueError) as error:
            print(f"{folder}: {error}", file=sys.stderr)
            left = 1
    if not folders:
        print(__doc__, file=sys.stderr)
        return 2
    picture(folders[0])
    return left


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
