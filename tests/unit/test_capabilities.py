"""The table of versions: what the server's contract is, version by version."""

import importlib.metadata
from unittest.mock import Mock

import pytest

from fixtures.capabilities import NEWEST_TRIED, TABLE, capabilities, installed_version
from fixtures.errors import LmdeployError


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
