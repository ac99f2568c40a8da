"""The seal notices an edited file, and a report that does not follow from the events."""

import json
from pathlib import Path

import pytest

from fixtures.evidence import EVENTS_FILE
from fixtures.evidence.__main__ import main
from fixtures.evidence.seal import REPORT_FILE, SEAL_FILE
from fixtures.report.document import SCHEMA
from fixtures.report.verification import verify
from fixtures.texts import Texts
from tests.unit.report import synthetic
from tests.unit.report.test_forgeries import forged
from tests.unit.waiting import ROOT


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    return forged(tmp_path / "run", lambda _: None)


def problems(folder: Path) -> list[tuple[str, str]]:
    """Id and file of what is wrong."""
    return [(problem.id, problem.fields.get("file", "")) for problem in verify(folder).problems]


def committed() -> list[Path]:
    """Sealed folders of the documentation whose reports are of this schema."""
    folders = [seal_.parent for kept in ("reports", "gpus") for seal_ in (ROOT / "docs" / kept).glob(f"*/{SEAL_FILE}")]
    return [one for one in sorted(folders) if json.loads((one / REPORT_FILE).read_text())["schema"] == SCHEMA]


@pytest.mark.parametrize("folder", committed(), ids=lambda folder: folder.name)
def test_committed_reports_still_follow_from_their_events(folder: Path) -> None:
    assert verify(folder).problems == ()


@pytest.mark.parametrize("name", [EVENTS_FILE, REPORT_FILE, "report.html"])
def test_changed_or_missing_file_is_noticed(sealed: Path, name: str) -> None:
    file = sealed / name
    text = file.read_text()
    file.write_text(text.replace("accepted", "accepteD", 1).replace("7c95", "7c96"))
    assert file.read_text() != text
    assert ("seal.edited", name) in problems(sealed)
    file.unlink()
    assert problems(sealed)[0] in [("seal.missing", name), ("seal.unreadable", name)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((SEAL_FILE, text) for text in (None, "{", '{"sha256": []}', '{"sha256": {"../x": "y"}}', '{"sha256": {}}')),
        (EVENTS_FILE, "nonsense\n"),
        (EVENTS_FILE, '{"kind": "RunStarted"}\n'),
        (EVENTS_FILE, '{"kind": "VramSampled", "t": 1, "at": "", "samples": [[1]]}\n'),
    ],
)
def test_seal_and_events_that_are_none_are_noticed(sealed: Path, name: str, text: str | None) -> None:
    (sealed / name).unlink()
    if text is not None:
        (sealed / name).write_text(text)
    assert verify(sealed).problems


def test_program_says_ok_or_edited(sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sealed / "console.txt").write_text("")
    assert main(["verify", str(sealed), "--report-lang", "en"]) == 0
    shown = capsys.readouterr().out
    limits = Texts("en").say("seal.limits")
    assert all(words in shown for words in ("ACCEPTED", "perhaps replaced: console.txt", "nothing disagrees", limits))
    (sealed / "report.html").write_text("<html>better</html>")
    assert main(["verify", str(sealed)]) == 1
    assert "report.html：封存之后被改动" in capsys.readouterr().out
    assert main(["report", str(sealed)]) == 2, "it is complete"
    for wrong in (sealed / "nowhere", sealed.parent, sealed / "post.md"):
        assert main(["verify", str(wrong), "--report-lang", "en"]) == 2
        assert "not the folder of a run" in capsys.readouterr().err


def test_program_reports_on_a_killed_run(tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path / "run", synthetic.entries()[:-1])
    assert main(["report", str(folder), "--lang", "en"]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "NOT ACCEPTED" in page
    assert "从前，山脚下住着一只小狐狸。" in page


@pytest.mark.parametrize(("readme", "language"), [("README.md", "en"), ("README.zh-CN.md", "zh")])
def test_readme_and_help_say_in_the_same_words_what_no_check_can_show(
    readme: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["verify", "--help", "--report-lang", language])
    limits = "".join(Texts(language).say("seal.limits").split())
    for text in ((ROOT / readme).read_text(encoding="utf-8"), capsys.readouterr().out):
        assert limits in "".join(text.replace("`", "").split())
