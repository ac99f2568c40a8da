"""docs/overhead.md: the suite against the bare script, and the suite's own seconds."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from tools.tables import Place, markdown


def pairs(record: Mapping[str, Any], place: Place) -> str:
    """Tell of the pairs with the quantization and of those without, whose seconds are medians of whole runs; and where
    it was measured, the most that the suite took for itself."""
    rows, bar, own_bar = [], record["bar"], record.get("own_bar")
    for kind in ("cold", "cached"):
        if record[f"ratio_{kind}"] is not None:
            ratio, count = f"{record[f'ratio_{kind}']:.2f}", len(record[f"ratios_{kind}"])
            seconds = [_seconds(_median(record, kind, side), 1, place) for side in ("script", "suite")]
            shown = ratio if float(ratio) <= bar else f"**{ratio}**"
            row = [place.say(f"overhead.{kind}"), str(count), *seconds, shown]
            if own_bar:
                row.append(_own(record, kind, place))
            rows.append(row)
    head = [*place.head("overhead.head"), place.say("overhead.ratio", bar=bar)]
    if own_bar:
        head.append(place.say("overhead.own", bar=own_bar))
    return f"{place.origin(record)} {place.raw()}\n\n{markdown(head, rows)}"


def _own(record: Mapping[str, Any], kind: str, place: Place) -> str:
    runs = (run["own"] for run in record["runs"] if run["whole"] and run["kind"] == kind and run["own"])
    most = max(runs, key=lambda own: sum(own.values()))
    told = _seconds(record[f"own_{kind}"], 2, place)
    parts = place.say("overhead.parts", **{name: f"{took:.2f}" for name, took in most.items()})
    return f"{told if record[f'own_{kind}'] <= record['own_bar'] else f'**{told}**'} {parts}"


def _seconds(value: float, digits: int, place: Place) -> str:
    return place.say("overhead.seconds", value=f"{value:.{digits}f}")


def _median(record: Mapping[str, Any], kind: str, side: str) -> Any:
    return median(
        run["seconds"] for run in record["runs"] if run["whole"] and (run["kind"], run["side"]) == (kind, side)
    )


def own(record: Mapping[str, Any], place: Place) -> str:
    """Tell the seconds to collect, to report and to test the suite, and the sampler's share of a processor."""
    medians = {
        "`pytest -m gpu --collect-only`": "collect_acceptance_seconds",
        "`pytest --collect-only`": "collect_seconds",
        place.say("overhead.empty"): "collect_nothing_seconds",
        place.say("overhead.report"): "report_seconds",
    }
    rows = [[words, _seconds(record[field]["median"], 2, place)] for words, field in medians.items()]
    rows.append([place.say("overhead.sampler"), f"{100 * record['sampler_share_of_a_core']:.1f} %"])
    rows.append([place.say("overhead.pictures"), _seconds(record["pictures_seconds"], 1, place)])
    tests = record["unit_tests"]
    rows.append([place.say("overhead.tests", processes=tests["processes"]), _seconds(tests["seconds"], 1, place)])
    return f"{place.origin(record)} {place.raw()}\n\n{markdown(['', ''], rows)}"
