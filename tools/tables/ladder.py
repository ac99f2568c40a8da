"""docs/vram.md: the memory ladder. MiB."""

from collections.abc import Mapping
from typing import Any

from fixtures.server.in_turn import BF16, BF16_INT4, BF16_INT8, Configuration
from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.ladder.section import draw
from tools.tables import Place


def table(record: Mapping[str, Any], place: Place) -> str:
    """Tell what was run, with a row for each rung, and what the cache's precision buys."""
    rows, failed = record["rows"], record.get("failed_start")
    told = place.say(
        "ladder.told",
        gpu=record["gpu"],
        total=record["gpu_total_mib"],
        lmdeploy=record["versions"]["lmdeploy"],
        command=record["command"],
        raw=place.raw(),
    )
    return "\n\n".join(
        [
            told,
            place.table("ladder.head", map(_named, rows)),
            *_tokens({row["name"]: row for row in rows}, place),
            *([_failed(failed, place)] if failed else []),
            f"![{place.say('ladder.picture')}](records/{place.stem}-{place.language}.svg)",
        ]
    )


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    card = f" ({row['card_gib']} GiB)" if row["card_gib"] is not None else ""
    server = f"{Configuration(row['weights'], row['quant_policy']).title}, {row['share']:g}{card}"
    return {**row, "server": server, "tokens": f"{row['kv_tokens']:,}".replace(",", " ")}


def _tokens(rows: Mapping[str, Mapping[str, Any]], place: Place) -> list[str]:
    if not {BF16.id, BF16_INT8.id, BF16_INT4.id} <= rows.keys():
        return []
    wide, int8, int4 = (rows[served.id] for served in (BF16, BF16_INT8, BF16_INT4))
    told = place.say(
        "ladder.tokens",
        int4=int4["kv_tokens"] / wide["kv_tokens"],
        int8=int8["kv_tokens"] / wide["kv_tokens"],
        saved4=wide["ready_mib"] - int4["ready_mib"],
        saved8=wide["ready_mib"] - int8["ready_mib"],
        gap=max(abs(row["ready_mib"] - row["model_mib"]) for row in rows.values()),
    )
    return [told]


def _failed(failed: Mapping[str, Any], place: Place) -> str:
    course = f"{failed['idle_mib']} → {failed['peak_mib']} → {failed['released_mib']} MiB"
    told = place.say("ladder.failed", name=failed["name"], seconds=failed["seconds"], course=course)
    cause = Texts(place.language).tell(failed["error"])
    return f"{told}\n`{cause.splitlines()[0]}`"


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Draw the ladder as bars, in each language."""
    return {f"{stem}-{language}.svg": str(draw(record, Texts(language))) for language in LANGUAGES}
