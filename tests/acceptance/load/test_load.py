"""负载下的回答 / The same answers alone and among many neighbours: run with `-m load`."""

import pytest

from fixtures.judge.profile import MOST_FLIPS
from fixtures.judge.trials import wilson
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault, not_measured
from fixtures.texts import message
from tests.acceptance.load.comparing import flips_fault, is_back, total
from tests.acceptance.load.measuring import Row

pytestmark = [pytest.mark.gpu, pytest.mark.load]


@claim(
    "load.answered",
    part="deployment",
    zh="负载：每个请求都得到回答",
    en="Load: every request is answered",
)
def test_every_request_is_answered(compared: list[Row], measure: Measure) -> None:
    """Alone, again and at every stage; those that we cut are not waited for."""
    asked, failed = (sum(total(row, figure) for row in compared) for figure in ("asked", "failed"))
    measure("answered", asked - failed, expected=asked)
    for row in compared:
        error = next((stage["error"] for stage in row["stages"] if stage["failed"]), "")
        assert_no_fault(message("load.no_answer", server=row["name"], error=error) if error else None)


@claim(
    "load.no_leak",
    part="deployment",
    zh="负载：回答中没有其他请求的内容",
    en="Load: no reply holds what belongs to another request",
)
def test_no_reply_holds_what_belongs_to_another(compared: list[Row], measure: Measure) -> None:
    """Each question has numbers or a word that no other has."""
    leaked = [(row, stage) for row in compared for stage in row["stages"] if stage["leaked"]]
    measure("leaks", sum(stage["leaked"] for _, stage in leaked), expected=0)
    for row, stage in leaked:
        first = stage["leaks"][0]
        fields = {"asked": first["asked"], "other": first["of"][0], "said": first["said"]}
        assert_no_fault(message("load.leak", server=row["name"], stage=message(f"load.{stage['id']}"), **fields))


@claim(
    "load.no_flip",
    part="deployment",
    zh="负载：单独提问时答对的，在负载下也答对",
    en="Load: what is right alone is right under load",
)
def test_what_is_right_alone_is_right_under_load(compared: list[Row], measure: Measure) -> None:
    """Not shown to be wrong more often than the limit."""
    for row in compared:
        flips, right = total(row, "flips"), total(row, "right_alone")
        found = wilson(flips, right)
        measure("flips", f"{row['name']}: {flips} / {right}")
        measure("flips_at_least", round(100 * found.lower, 3), "%", at_most=100 * MOST_FLIPS)
        measure("flips_at_most", round(100 * found.upper, 3), "%")
    for row in compared:
        assert_no_fault(flips_fault(row))


@claim(
    "load.cache_is_back",
    part="deployment",
    zh="负载：请求被取消后，KV 缓存全部释放",
    en="Load: the KV cache is free again after cancelled requests",
)
def test_cache_is_free_again_after_cancelled_requests(compared: list[Row], measure: Measure) -> None:
    """By the server's own metrics, before the first request and after the last was cut."""
    capacity = compared[0]["capacity"]
    if capacity is None:
        not_measured("no_cache_metrics")
    assert_no_fault(message("load.not_filled", error=capacity["failed"]) if "failed" in capacity else None)
    for figure in ("before", "held", "after"):
        measure(f"cache_{figure}", round(100 * capacity[figure], 5), "%")
    assert_no_fault(None if is_back(capacity) else message("load.cache_not_back", **capacity))
