"""docs/performance.md: servers under load. Latencies in ms."""

from collections.abc import Mapping
from typing import Any

from fixtures.texts import LANGUAGES, Texts
from tests.acceptance.performance import checks
from tests.acceptance.performance.section import draw
from tools.tables import Place


def table(record: Mapping[str, Any], place: Place) -> str:
    """Tell what was run, with a row for each load, requests at once, and how far lmdeploy's own protocol is."""
    servers, picture = record["servers"], f"{place.stem}-{place.language}.svg"
    told = place.say(
        "performance.told",
        gpu=record["gpu"],
        lmdeploy=record["versions"]["lmdeploy"],
        checkpoint=record["checkpoint"],
        prompt=servers[0]["prompt_tokens"],
        answer=servers[0]["answer_tokens"],
        command=record["command"],
        raw=place.raw(),
    )
    told_load = Texts(place.language).tell
    rows = (
        {**load, "load": told_load(load["load"]), "name": server["name"]}
        for server in servers
        for load in server["loads"]
    )
    parts = [told, place.table("performance.head", rows)]
    if full := [server for server in servers if server["held"]]:
        at_once = place.listed((f"{one['name']} {one['held']['at_once']}" for one in full), "semicolon")
        parts.append(place.say("performance.at_once", tokens=full[0]["held"]["context_tokens"], told=at_once))
    for server in (one for one in servers if "checks" in one):
        parts.append(place.say("performance.checks", **checks.told(server)))
    for found in (server["agreement"] for server in servers if server["agreement"]):
        ttft, tokens = found["ttft_mean_ms"], found["tokens_per_s"]
        parts.append(place.say("performance.agreement", apart=100 * found["apart"], ttft=ttft, tokens=tokens))
    if picture in pictures(record, place.stem):
        parts.append(f"![{place.say('performance.picture')}](records/{picture})")
    return "\n\n".join(parts)


def pictures(record: Mapping[str, Any], stem: str) -> dict[str, str]:
    """Draw throughput and latency by users, in each language; nothing where there was but one load."""
    drawn = {language: draw(record["servers"], Texts(language)) for language in LANGUAGES}
    return {f"{stem}-{language}.svg": str(picture) for language, picture in drawn.items() if picture is not None}
