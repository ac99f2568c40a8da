"""`python -m tools.bfcl_checker`: what BFCL's checker makes of its own answers and of errors planted in them.

Writes docs/records/bfcl-checker.json. Needs requirements/bfcl.txt, and no model.
"""

import tempfile
from pathlib import Path
from typing import Any

from tests.acceptance.bfcl.package import controls, converted, load, read
from tests.acceptance.bfcl.suite import CATEGORIES, USUAL
from tools.records import RECORDS, head_now, write

COMMAND = "python -m tools.bfcl_checker"


def measure() -> dict[str, Any]:
    """Return the counts: of the categories asked by default, and of all."""
    with tempfile.TemporaryDirectory() as place:
        found: dict[str, Any] = {"package": f"bfcl-eval {load(Path(place))}"}
        for name, categories in (("usual", USUAL), ("all", CATEGORIES)):
            cases = read(categories, None)
            accepted, refused = controls(cases)
            found[name] = {"truth": accepted, "planted": refused, "converted": converted(cases)}
    return found


if __name__ == "__main__":
    write(RECORDS / "bfcl-checker.json", {**head_now(COMMAND), **measure()})
