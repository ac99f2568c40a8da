"""`python -m tools.pages [--check]`: rewrite or check what the pages of docs/ have from records.

A generated part stands between two comments, of which the first names its maker and its record:

    <!-- made by tools.tables.ladder.table from records/vram-ladder-h200.json -->
    <!-- end -->

The maker is a function `(record, place) -> str`. A module of makers may have `pictures(record, stem)`, too: SVG texts
by the names of files beside the record. docs/options.md and its twin have the table of options from their declarations.
A page is in Chinese where its name ends in `.zh-CN.md`, else in English.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from fixtures.run.options import table
from fixtures.run.settings import declared
from tools.records import ROOT, read
from tools.tables import Place

PART: Final = re.compile(
    r"<!-- made by (?P<module>tools\.tables\.\w+)\.(?P<maker>\w+) from (?P<record>[\w./-]+\.json) -->\n"
    r".*?<!-- end -->",
    re.DOTALL,
)

OPTIONS: Final = re.compile(r"(<!-- written by python -m tools\.pages: options -->)\n.*?<!-- end -->", re.DOTALL)


def made(page: Path) -> dict[Path, str]:
    """Make the page as its records have it, and the pictures beside them, by their files. Empty for a page that is all
    written by hand."""
    pictures: dict[Path, str] = {}
    language = "zh" if page.name.endswith(".zh-CN.md") else "en"

    def part(match: re.Match[str]) -> str:
        file = page.parent / match["record"]
        record, module = read(file), import_module(match["module"])
        if not record:
            raise SystemExit(f"{page.name}: there is no {match['record']}")
        if hasattr(module, "pictures"):
            drawn = module.pictures(record, file.stem)
            pictures.update({file.with_name(name): f"{text}\n" for name, text in drawn.items()})
        opening = match[0].partition("\n")[0]
        return f"{opening}\n\n{getattr(module, match['maker'])(record, Place(language, file.stem))}\n\n<!-- end -->"

    def options(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{table(declared(), language)}\n\n<!-- end -->"

    text, parts = PART.subn(part, page.read_text(encoding="utf-8"))
    text, tables = OPTIONS.subn(options, text)
    return {page: text, **pictures} if parts or tables else {}


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit status is 1 where `--check` finds something that is not as its record."""
    parser = argparse.ArgumentParser(prog="python -m tools.pages", description="generated parts of docs/")
    parser.add_argument("--check", action="store_true", help="change nothing, and name what would change")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the pages (default: docs)")
    given = parser.parse_args(arguments)
    docs: Path = given.docs
    pages = [*docs.glob("*.md"), *docs.glob("findings/*.md")]
    changed = {
        file: text
        for page in sorted(pages)
        for file, text in made(page).items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    }
    for file, text in changed.items():
        print(file.relative_to(docs.parent))
        if not given.check:
            file.write_text(text, encoding="utf-8")
    return int(given.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
