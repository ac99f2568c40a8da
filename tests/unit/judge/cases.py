"""Cases of judgements that are data, in a file beside the tests that read it.

It has a table for each judgement, in which every fault that must be found has a list of what is given; `sound` is what
has none.
"""

import json
from pathlib import Path
from typing import Any

from tests.unit.tables import table


def cases(name: str) -> list[tuple[str, str, Any]]:
    """Read judgement, fault and what is given of every case of a TOML or JSON file.

    :raises ValueError: a fault has no case.
    """
    file = Path(__file__).with_name(name)
    judgements = json.loads(file.read_text("utf-8")) if file.suffix == ".json" else table(__file__, file.stem)
    found = []
    for judgement, faults in judgements.items():
        for fault, every in faults.items():
            if not every:
                raise ValueError(f"{name}: no case of {judgement}, {fault}")
            found += [(judgement, fault, given) for given in every]
    return found
