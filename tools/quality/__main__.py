"""`python -m tools.quality`: docs/quality.md and its pictures from docs/records/quality-<gpu>.json.

Takes over the figures of artefact verification first, where docs/records/artefact.json lies beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from fixtures.errors import AcceptanceError
from tools.quality.page import write_page
from tools.quality.record import join_file

ROOT: Final = Path(__file__).parents[2]


def main() -> None:
    """Write what the records say."""
    records = ROOT / "docs" / "records"
    for file in sorted(records.glob("quality-*.json")):
        if file.stem != "quality-damage":
            join_file(file)
    for written in write_page(ROOT):
        print(written.relative_to(ROOT))


if __name__ == "__main__":
    try:
        main()
    except AcceptanceError as error:
        sys.exit(str(error))
