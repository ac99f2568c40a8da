"""docs/artefact.md: how the verification decides, with the figures of docs/records/artefact.json."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Final

WIDTH: Final = 120

INTRODUCTION: Final = (
    "`lmdeploy lite auto_awq` exits with 0 whatever it wrote. So each run compares the W4A16 checkpoint with the "
    "one that it was made from, weight by weight, on the CPU and while the server starts. By hand:",
    "says what is wrong, with the layer's name, and exits with 1 if anything is. It needs numpy alone (torch only "
    "for the `.bin` files of lmdeploy up to 0.8.0) and never loads a model.",
)

METHOD: Final = (
    "AWQ multiplies an input channel of a layer before it is rounded and divides what feeds it: the norm before "
    "`wqkv`, `w1` and `w3`, and the rows of `w3` before `w2`. The factors are read back from there. Then everything"
    " that is stored follows from the source: each group's scale is (max - min) / 15, its zero point -min / scale, "
    "and each weight lies within half a step of its 4-bit code. These three are checked for every group and every "
    "weight; the bounds are wider by the roundings of the checkpoint's dtype and by nothing else "
    "([`rounding.py`](../fixtures/model/artefact/rounding.py)).",
    "Embedding, last norm and head must be the source's bit for bit, or its values in the other dtype; names, "
    "shapes, dtypes, bytes, config.json, tokenizer and chat template must be what the source asks for.",
)

COLUMNS: Final = (
    "`furthest` is the worst weight's distance from its code beyond what the dtype's rounding explains, in steps; "
    "0.5 is the limit. The error is that of the weights with the smoothing undone, relative to the source's: it "
    "tells how well the calibration fits, and only from 0.5 on that something is wrong."
)

BITS: Final = (
    "A flipped bit of a 4-bit code moves the weight by 1, 2, 4 or 8 steps. One step is noticed unless the weight "
    "lay so near the middle of two codes that the other is as good a rounding:"
)

SEARCHED: Final = (
    "On a CPU `--search-scale` spoils the weights: to try a ratio, lmdeploy (0.5.3 to 0.18.0) multiplies them in place "
    "and goes back to a copy that it took with `.cpu()` (`auto_scale_block` of lite/quantization/calibration.py). "
    "From a GPU that is a copy; on a CPU it is the weights themselves, so that the factors of all 20 ratios stay in "
    "them and no norm undoes them. The verification says so ({name}: {findings} of {layers} layers):"
)

SEARCHED_RIGHT: Final = (
    "The same command passes as soon as that line copies (standin-search-scale-copied above): the search itself "
    "only chooses other factors. The suite never passes the flag."
)

LATER: Final = (
    "Against that the cache keeps the fingerprint of what auto_awq wrote: a bit that changes later is noticed, "
    "whichever it is."
)


TURNS: Final = (
    "{name}, in turns with reading its files, each time from the disk and not from the page cache: verified in less "
    "time than they are read twice in {faster} of {turns} turns, and in at most {mib} MiB of memory. The load average "
    "is the machine's, with whatever else it did."
)


def rendered(record: Mapping[str, Any]) -> str:
    """The page, from the record alone."""
    honest, corruptions = record["honest"], record["corruptions"]
    versions = record["versions"]
    return "\n".join(
        [
            "# Is the quantized model still the model?\n",
            _paragraph(INTRODUCTION[0]),
            "```bash\npython -m fixtures.model.artefact verify SOURCE QUANTIZED\n```\n",
            _paragraph(INTRODUCTION[1]),
            "## What is compared\n",
            *(_paragraph(text) for text in METHOD),
            "## Measured\n",
            _paragraph(
                f"{record['date']}, {record['hardware']}, Python {record['python']}, numpy {versions['numpy']}. Every "
                f"artefact was made by `auto_awq` of lmdeploy {versions['lmdeploy']} unless its name says another; the "
                "1.8B's shape has random weights."
            ),
            *([_paragraph(record["note"])] if record["note"] else []),
            f"```bash\n{record['command']}\n```\n",
            f"Honest artefacts flagged: **{record['honest_flagged']} of {len(honest)}**.\n",
            "| artefact | dtype, groups | weights | before | after | worst layer's error | furthest | seconds | MiB |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_honest(row) for row in honest),
            "",
            _paragraph(COLUMNS),
            *(line for row in honest if row["turns"] for line in _turns(row)),
            *(line for row in record["spoiled"] for line in _spoiled(row)),
            "## Corruptions\n",
            _paragraph(
                f"**{record['corruptions_caught']} of {len(corruptions)}** are caught, each in its own words "
                "([`corruptions.py`](../tools/artefact/corruptions.py)):"
            ),
            "| done to the artefact | what the verification says |",
            "| --- | --- |",
            *(f"| {row['name']} | {_said(row)} |" for row in corruptions),
            "",
            _paragraph(BITS),
            "| bit | flipped | noticed |",
            "| --- | --- | --- |",
            *(f"| {row['bit']} | {row['flipped']} | {row['noticed']} |" for row in record["flipped_bits"]),
            "",
            _paragraph(LATER).rstrip("\n"),
            "",
        ]
    )


def _paragraph(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def _honest(row: Mapping[str, Any]) -> str:
    before, after = row["source_bytes"] / 2**20, row["quantized_bytes"] / 2**20
    return (
        f"| {row['name']} | {row['dtype']}, {row['group_size']} | {row['weights']:,} | {before:,.1f} MiB | "
        f"{after:,.1f} MiB | {row['worst_error']:.3f} | {row['furthest_step']:.3f} | {row['seconds']:g} | "
        f"{row['peak_rss_mib']} |"
    )


def _turns(row: Mapping[str, Any]) -> list[str]:
    turns = row["turns"]
    faster = sum(turn["verification_seconds"] < sum(turn["reading_twice_seconds"]) for turn in turns)
    return [
        _paragraph(TURNS.format(name=row["name"], faster=faster, turns=len(turns), mib=row["peak_rss_mib"])),
        "| read from the disk, twice | processor | verified | processor | load average |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {' + '.join(f'{seconds:g}' for seconds in turn['reading_twice_seconds'])} s | "
            f"{turn['reading_twice_cpu_seconds']:g} s | **{turn['verification_seconds']:g} s** | "
            f"{turn['verification_cpu_seconds']:g} s | {turn['load_average']:g} |"
            for turn in turns
        ),
        "",
    ]


def _spoiled(row: Mapping[str, Any]) -> list[str]:
    return [
        "## --search-scale\n",
        _paragraph(SEARCHED.format(**row)),
        f"> {row['first']}\n",
        _paragraph(SEARCHED_RIGHT),
    ]


def _said(row: Mapping[str, Any]) -> str:
    if not row["caught"]:
        return "**nothing**"
    return (f"`{row['layer']}` " if row["layer"] else "") + str(row["says"])
