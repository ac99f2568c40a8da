"""The table of versions: what a client may rely on, version by version."""

from dataclasses import fields

import pytest
from packaging.version import Version

from fixtures.gpu.kv_capacity import FORMATS
from fixtures.lmdeploy.capabilities import (
    NEWEST_TRIED,
    TABLE,
    TRIED,
    Capabilities,
    adaptations,
    capabilities,
    in_order,
    is_newer_than_tried,
    not_offered,
)
from fixtures.texts import catalogue

NEWER = f"{Version(NEWEST_TRIED).major + 1}.0"


@pytest.mark.parametrize(
    ("version", "since"),
    [("0.8.0", "0.7.2"), ("0.9.2.post1", "0.9.0"), (NEWEST_TRIED, TABLE[-1].since), (NEWER, TABLE[-1].since)],
)
def test_version_has_the_newest_row_that_is_not_newer(version: str, since: str) -> None:
    assert capabilities(version).since == since
    assert is_newer_than_tried(version) is (version == NEWER)


def ids(version: str) -> list[str]:
    return [adaptation.id for adaptation in adaptations(version)]


@pytest.mark.parametrize(
    ("version", "adapted"),
    [
        ("0.5.3", "search_scale model_name folder_name result_role call_ids no_stream_usage"),
        ("0.9.2.post1", "search_scale model_name tool_call_parser folder_name usage_every_chunk"),
        ("0.18.0", "search_scale calib_dataset trust_remote_code model_name tool_call_parser template"),
        (NEWER, "newest search_scale calib_dataset trust_remote_code model_name tool_call_parser template"),
    ],
)
def test_adaptations_follow_from_the_row(version: str, adapted: str) -> None:
    assert ids(version) == adapted.split()


STREAM_AND_LENGTH = "tools.streamed chat.refuses_too_long "
CHOICE = "tools.choice_required tools.two_calls_in_one_turn tools.two_calls_streamed "
PROGRAMS = "cli.api_client cli.gradio"


@pytest.mark.parametrize(
    ("version", "lacking"),
    [
        ("0.5.3", STREAM_AND_LENGTH + CHOICE + "tools.result_as_tool server.result_as_tool server.metrics"),
        ("0.8.0", STREAM_AND_LENGTH + CHOICE + "server.metrics"),
        ("0.14.0", "chat.refuses_too_long " + CHOICE + PROGRAMS),
        ("0.18.0", PROGRAMS),
    ],
)
def test_lacking_claims_follow_from_the_row(version: str, lacking: str) -> None:
    assert set(not_offered(capabilities(version))) == set(lacking.split())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.since)
def test_row_was_compared_with_its_own_versions(row: Capabilities) -> None:
    assert row.tried
    assert {capabilities(version) for version in (row.since, *row.tried)} == {row}
    assert any(row.kv_log in known.pattern.replace("\\s*", " ") for known in FORMATS), row.kv_log


def test_every_id_has_its_text_and_every_text_an_id() -> None:
    told = [field.name for field in fields(TABLE[0]) if "Literal" in str(field.type) and field.name != "engine_answers"]
    words = {getattr(row, name) for row in TABLE for name in told}
    lacks = {lack.message.id for row in TABLE for lack in not_offered(row).values()}
    made = {f"adapted.{one}{suffix}" for version in (*TRIED, NEWER) for one in ids(version) for suffix in ("", ".why")}
    measured = {f"not_offered.{what}" for what in ("protocol", "departs", "key_guards_all", "response_format")}
    used = (
        lacks
        | measured
        | made
        | {f"capability.{word}" for word in words if word not in ("bin", "safetensors", "tool", "environment")}
    )
    kept = {id_ for id_ in catalogue() if id_.startswith(("not_offered.", "adapted.", "capability."))}
    assert kept - {"adapted.upstream"} == used


def test_versions_are_ordered_as_versions_and_others_come_last() -> None:
    assert in_order(set(TRIED)) == list(TRIED)
    assert in_order({"0.18.0", "0.9.2.post1", "main", "0.10.2"}) == ["0.9.2.post1", "0.10.2", "0.18.0", "main"]
