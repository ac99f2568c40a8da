"""Every version tried is known everywhere, and what a new one still needs is listed."""

import json
from pathlib import Path

import pytest

from fixtures.lmdeploy.capabilities import TRIED
from fixtures.lmdeploy.versions import Missing, locked, missing, tried


def test_tried_versions_lack_nothing() -> None:
    assert tried() == list(TRIED)
    assert {version: missing(version) for version in TRIED} == {version: [] for version in TRIED}


def test_new_version_lacks_all_that_it_needs(tmp_path: Path) -> None:
    for folder in ("requirements", "docs/help", "docs/records"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/records/versions.json").write_text(json.dumps({"versions": {}}))
    (tmp_path / "tox.ini").write_text("[testenv:lmdeploy-{0.1,99.0}]\n[testenv:contract-{0.1,99.0.1}]\n")
    (tmp_path / "requirements/lmdeploy-99.0.in").touch()
    assert missing("99.0", tmp_path) == [
        Missing("requirements/lmdeploy-99.0.txt", "python -m tools.versions renew 99.0"),
        Missing("requirements/contract-99.0.txt", "python -m tools.versions renew 99.0"),
        Missing("docs/help/99.0.txt", "python -m tools.versions help"),
        Missing("tox.ini [testenv:contract-…]"),
        Missing("fixtures/lmdeploy/capabilities.py"),
        Missing("docs/records/versions.json", "python -m tools.versions record contract-99.0"),
    ]


@pytest.mark.parametrize(("python", "numpy"), [("3.10.13", "1.0"), ("3.12.3", "2.0")])
def test_lock_is_read_for_one_python(python: str, numpy: str, tmp_path: Path) -> None:
    lines = [
        "# made",
        "numpy==1.0 ; python_full_version < '3.12'",
        "    # via",
        "numpy==2.0 ; python_version >= '3.12'",
    ]
    (tmp_path / "lmdeploy-9.9.txt").write_text("\n".join([*lines, "torch==2.0"]), encoding="utf-8")
    assert locked("9.9", python, tmp_path) == {"numpy": numpy, "torch": "2.0"}
    assert locked("9.8", python, tmp_path) == {}
