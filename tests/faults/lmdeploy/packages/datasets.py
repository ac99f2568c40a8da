"""Stands in for `datasets` as far as the calibration set is read: a local folder with a `train.jsonl`."""

import json
import os
from pathlib import Path


def load_dataset(path: str, name: str, split: str) -> dict[str, list[str]]:
    """The rows by column. With the fault `calibration-text-too-short`, three of them."""
    assert name
    assert split == "train"
    lines = Path(path, "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    if os.environ.get("FAULT") == "calibration-text-too-short":
        rows = rows[:3]
    return {column: [row[column] for row in rows] for column in rows[0]}
