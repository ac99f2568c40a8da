"""The table of versions: what the server's contract is, version by version."""

import importlib.metadata
from unittest.mock import Mock

import pytest

from fixtures.errors import LmdeployError
from fixtures.gpu.kv_capacity import FORMATS
from fixtures.lmdeploy.capabilities import (
    NEWEST_TRIED,
    TABLE,
    TRIED,
    adaptations,
    capabilities,
    in_order,
    installed_version,
    is_newer_than_tried,
    not_offered,
)


def test_the_installed_version_is_read_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"lmdeploy": "0.18.0"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    assert installed_version() == "0.18.0"


def test_a_missing_lmdeploy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Mock(side_effect=importlib.metadata.PackageNotFoundError)
    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(LmdeployError, match="lmdeploy is not installed in this Python environment"):
        installed_version()


@pytest.mark.parametrize(
    ("version", "streams", "unique_ids", "required"),
    [
        ("0.5.3", False, False, False),
        ("0.6.5", False, False, False),
        ("0.7.3", False, True, False),
        ("0.12.3", False, True, False),
        ("0.13.0", True, True, False),
        ("0.17.0", True, True, False),
        ("0.18.0", True, True, True),
    ],
)
def test_what_a_client_can_rely_on(version: str, streams: bool, unique_ids: bool, required: bool) -> None:
    found = capabilities(version)
    assert (found.streams_tools, found.unique_call_ids, found.enforces_required) == (streams, unique_ids, required)
    assert not found.enforces_named
    assert found.two_calls_in_one_turn == required


def test_a_version_between_two_rows_has_the_older_ones() -> None:
    assert capabilities("0.8.0").since == "0.7.2"
    assert capabilities("0.9.2.post1").since == "0.9.0"


def test_a_newer_version_is_treated_like_the_newest() -> None:
    assert capabilities("1.0.0") == capabilities(NEWEST_TRIED) == TABLE[-1]


def test_a_version_before_the_homeworks_is_refused() -> None:
    with pytest.raises(LmdeployError, match=r"older than the homework's 0\.5\.3"):
        capabilities("0.4.0")


TWO_CALLS = ("tools.two_calls_in_one_turn", "tools.two_calls_streamed")


def ids(version: str) -> list[str]:
    return [adaptation.id for adaptation in adaptations(version)]


def test_what_is_adapted_follows_from_the_row() -> None:
    assert ids("0.5.3") == [
        *("search_scale", "model_name", "folder_name", "result_role", "call_ids", "no_stream_usage"),
    ]
    assert ids("0.9.2.post1") == ["search_scale", "model_name", "tool_call_parser", "folder_name", "usage_every_chunk"]
    assert ids("0.10.2") == ["search_scale", "model_name", "tool_call_parser", "template"]
    assert ids("0.18.0") == [
        *("search_scale", "calib_dataset", "trust_remote_code", "model_name", "tool_call_parser", "template"),
    ]


def test_a_version_newer_than_tried_says_so_first() -> None:
    assert ids("0.18.1") == ["newest", *ids("0.18.0")]
    assert is_newer_than_tried("0.18.1")
    assert not is_newer_than_tried("0.18.0")


@pytest.mark.parametrize(
    ("version", "lacking"),
    [
        (
            "0.5.3",
            {
                *("tools.streamed", "chat.refuses_too_long", "tools.choice_required", "tools.result_as_tool"),
                *("server.result_as_tool", "server.metrics"),
                *TWO_CALLS,
            },
        ),
        ("0.8.0", {"tools.streamed", "chat.refuses_too_long", "tools.choice_required", "server.metrics", *TWO_CALLS}),
        (
            "0.12.3",
            {
                *("tools.streamed", "chat.refuses_too_long", "tools.choice_required"),
                *("cli.api_client", "cli.gradio"),
                *TWO_CALLS,
            },
        ),
        ("0.14.0", {"chat.refuses_too_long", "tools.choice_required", "cli.api_client", "cli.gradio", *TWO_CALLS}),
        ("0.18.0", {"cli.api_client", "cli.gradio"}),
    ],
)
def test_what_a_version_does_not_offer(version: str, lacking: set[str]) -> None:
    assert set(not_offered(capabilities(version))) == lacking


def test_every_tried_version_has_a_row_and_every_row_was_tried() -> None:
    assert in_order(set(TRIED)) == list(TRIED)
    assert {capabilities(version) for version in TRIED} == set(TABLE)


def test_the_words_of_the_log_are_words_that_the_suite_reads() -> None:
    for row in TABLE:
        assert any(row.kv_log in known.pattern.pattern.replace("\\s*", " ") for known in FORMATS), row.kv_log


def test_versions_are_ordered_as_versions_and_others_come_last() -> None:
    assert in_order({"0.18.0", "0.9.2.post1", "main", "0.10.2"}) == ["0.9.2.post1", "0.10.2", "0.18.0", "main"]
