"""`python -m tools.looks`: how the report looks to a reader who sees, one who listens, and one who prints.

Reports of docs/reports are rendered anew from their events in both languages, and Chromium opens them wide and narrow,
light and dark: axe-core (from npm, of the version below, into a temporary folder) says what a screen reader or weak
eyes would trip over, everything folded and then everything open; a screen has 1280 x 800 pixels, a sheet is A4. The
record is docs/records/axe.json; exit status 1 where a page is longer than it may be or axe finds anything.
"""

import itertools
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fixtures.evidence import read
from fixtures.report.page import standalone
from fixtures.report.pictures import browser, chromium
from fixtures.report.summary import summarize
from fixtures.texts import LANGUAGES, Texts
from tools.records import RECORDS, ROOT, write

AXE: Final = "4.14.1"
WIDTHS: Final = (1280, 390)
SCREEN: Final = 800
SCHEMES: Final = ("light", "dark")
REPORTS: Final = {"standin-cold": True, "geometry": True, "standin-strict": False, "real-kv4": False}
"""Folders, with whether axe looks at them unfolded, too: hundreds of conversations of one kind take it minutes."""

MOST: Final = {True: {"screens": 6.0, "sheets": 6}, False: {"screens": 12.0, "sheets": 12}}
"""Longest page by whether every claim of the homework passed: beyond it nobody reads to the end."""

RUN_AXE: Final = "axe.run().then(found => Object.fromEntries(found.violations.map(one => [one.id, one.nodes.length])))"
OPEN_ALL: Final = "document.querySelectorAll('details').forEach(one => { one.open = true })"


def length(page: Any) -> dict[str, float]:
    """Measure an open page: screens as it is scrolled, everything folded, and sheets as it is printed."""
    height = page.evaluate("document.documentElement.scrollHeight")
    printed = page.pdf(prefer_css_page_size=True)
    return {"screens": round(height / SCREEN, 1), "sheets": len(re.findall(rb"/Type\s*/Page\b", printed))}


def axe_source(folder: Path) -> str:
    """Fetch axe-core into a folder and return its script. Raises OSError or CalledProcessError."""
    command = ["npm", "install", "--silent", "--no-save", "--prefix", str(folder), f"axe-core@{AXE}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def rows(launched: Any, axe: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Give a row for each report, language, width and scheme."""
    for (name, unfolded), language in itertools.product(REPORTS.items(), LANGUAGES):
        run = summarize(read(ROOT / "docs" / "reports" / name))
        file = folder / f"{name}-{language}.html"
        file.write_text(standalone(run, Texts(language)), encoding="utf-8")
        for width, scheme in itertools.product(WIDTHS, SCHEMES):
            page = launched.new_page(viewport={"width": width, "height": SCREEN}, color_scheme=scheme)
            page.goto(file.as_uri())
            row = {"report": name, "language": language, "width": width, "scheme": scheme,
                   "passed": run.verdict.passed == len(run.verdict.claims)}  # fmt: skip
            if (width, scheme) == (WIDTHS[0], SCHEMES[0]):
                row |= length(page)
            page.evaluate(axe)
            row["violations"] = page.evaluate(RUN_AXE)
            if unfolded:
                page.evaluate(OPEN_ALL)
                row["violations_unfolded"] = page.evaluate(RUN_AXE)
            page.close()
            yield row


def wrong(row: dict[str, Any]) -> bool:
    """Whether a row tells of a page that is too long, or of a violation."""
    too_long = any(row.get(unit, 0) > most for unit, most in MOST[row["passed"]].items())
    return too_long or bool(row["violations"] or row.get("violations_unfolded"))


def main() -> int:
    """Run the program; returns its exit status."""
    executable = browser()
    if executable is None:
        sys.exit("no Chromium, Chrome or Edge on PATH")
    with tempfile.TemporaryDirectory() as folder, chromium(executable) as launched:
        found = []
        for row in rows(launched, axe_source(Path(folder)), Path(folder)):
            print("WRONG" if wrong(row) else "ok", row, flush=True)
            found.append(row)
        date = datetime.now().astimezone().isoformat(timespec="seconds")
        head = {"command": "python -m tools.looks", "date": date, "axe": AXE, "chromium": launched.version}
    write(RECORDS / "axe.json", {**head, "rows": found})
    return int(any(map(wrong, found)))


if __name__ == "__main__":
    sys.exit(main())
