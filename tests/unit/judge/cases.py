"""Cases of judgements that are data, in a file beside the tests that read it.

It has a table for each judgement, in which every fault that must be found has a list of what is given; `sound` is what
has none.
"""

import json
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def cases(name: str) -> list[tuple[str, str, Any]]:
    """Read judgement, fault and what is given of every case of a TOML or JSON file.

    :raises ValueError: a fault has no case.
    """
    file = Path(__file__).with_name(name)
    read = json.loads if file.suffix == ".json" else tomllib.loads
    found = []
    for judgement, faults in read(file.read_text(encoding="utf-8")).items():
        for fault, every in faults.items():
            if not every:
                raise ValueError(f"{name}: no case of {judgement}, {fault}")
            found += [(judgement, fault, given) for given in every]
    return found
