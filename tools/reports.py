"""`python -m tools.reports FOLDER ...`: make the pages of committed runs again, from their events, as the suite makes
them now.

report.html (without pytest's own table, which is not in the events), report.json, post.md and the pictures that lie
there are written anew in the language they had, and their digests with them. Nothing is made of a folder that is not as
it was sealed. Where a folder has pictures, those of the READMEs are made of it: docs/pictures/report-LANGUAGE.png.
"""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.evidence import read
from fixtures.evidence.seal import REPORT_FILE, SCHEMA, SEAL_FILE, broken, digest, sealed
from fixtures.report import pictures
from fixtures.report.page import standalone
from fixtures.report.published import derived, how_shown, posted
from fixtures.report.summary import summarize
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
    (folder / REPORT_FILE).write_text(derived(folder, run), encoding="ascii")
    drawn, pictured = [], any(folder.glob("*.png"))
    for one in sorted(LANGUAGES, key=language.__eq__):  # its own is the last
        texts = Texts(one)
        page.write_text(standalone(run, texts, how_shown(folder, run, texts)), encoding="utf-8")
        if pictured:
            drawn = pictures.take(page, folder)
            shutil.copy(folder / "verdict.png", ROOT / "docs" / "pictures" / f"report-{one}.png")
    if (folder / "post.md").exists():
        (folder / "post.md").write_text(posted(folder, run, Texts(language), drawn), encoding="utf-8")
    digests = {name: digest(folder / name) for name in sealed(folder)}
    (folder / SEAL_FILE).write_text(json.dumps({"schema": SCHEMA, "sha256": digests}, indent=1) + "\n", "ascii")


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit status is 1 where a folder was left as it is."""
    left = 0
    for argument in arguments:
        try:
            remake(Path(argument))
        except (OSError, ValueError) as error:
            print(f"{argument}: {error}", file=sys.stderr)
            left = 1
    return left


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
