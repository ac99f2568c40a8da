"""docs/findings/int8-kv-turbomind.md: what int8 KV caches cost, as seen on a GPU and as emulated step by step."""

from collections.abc import Mapping
from typing import Any, Final

from tools.tables import Place

SEEN: Final = ("bf16-kv16", "tm-bf16-kv8", "pt-bf16-kv8", "w4a16-kv16", "w4a16-kv8")
"""Servers of the judged replies that this page is about."""


def _calls(counts: Mapping[str, list[int]] | None) -> str:
    return " ".join(f"{k}/{n}" for k, n in counts.values()) if counts else "–"


def seen(record: Mapping[str, Any], place: Place) -> str:
    """First answers to questions that a call answers, of servers on a GPU."""
    rows = [{"name": name, **record["levels"][name]} for name in SEEN]
    return place.table("kv_cache.seen", rows)


def emulated(record: Mapping[str, Any], place: Place) -> str:
    """One line for each way to round keys and values."""
    rows = [{**told, "name": name, "calls": _calls(told.get("right"))} for name, told in record["schemes"].items()]
    return f"{place.origin(record)}\n\n{place.table('kv_cache.emulated', rows)}"


def keys(record: Mapping[str, Any], place: Place) -> str:
    """The layers whose keys have the widest range."""
    widest = sorted(record["keys"], key=lambda row: -float(row["range"]))[:4]
    return place.table("kv_cache.keys", widest)


def served(record: Mapping[str, Any], place: Place) -> str:
    """One line for each server that was asked on a GPU."""
    rows = [
        {
            **server,
            **{part: _calls(counts) for part, counts in server["right"].items()},
            "moved": sum(reply["differs_at"] is not None for part in ("alone", "lengths") for reply in server[part]),
            "asked": sum(len(server[part]) for part in ("alone", "lengths")),
        }
        for server in record["servers"]
    ]
    return f"{place.origin(record)}\n\n{place.table('kv_cache.served', rows)}"
