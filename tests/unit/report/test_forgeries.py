"""Edited runs, each sealed anew after the edit, with report and page derived again: `verify` names what disagrees."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.evidence import EVENTS_FILE, read
from fixtures.evidence.__main__ import main
from fixtures.evidence.events import to_json
from fixtures.evidence.packing import LIMIT
from fixtures.evidence.seal import REPORT_FILE, SEAL_FILE, seal
from fixtures.homework import STORY_PROMPT
from fixtures.report import verification
from fixtures.report.page import standalone
from fixtures.report.published import derived, posted
from fixtures.report.summary import summarize
from fixtures.report.verification import verify
from fixtures.texts import Texts
from tests.unit.waiting import ROOT

REPORTS = ROOT / "docs" / "reports"
Lines = list[dict[str, Any]]
Edit = Callable[[Lines], object]


def forged(folder: Path, edit: Edit, of: str = "standin-cold") -> Path:
    """A copy of a committed run: its events edited, everything else derived from them, and sealed."""
    shutil.copytree(REPORTS / of, folder)
    for file in (*folder.glob("*.png"), folder / "console.txt"):
        file.unlink()
    lines = [to_json(entry) for entry in read(folder)]
    edit(lines)
    (folder / EVENTS_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="ascii")
    run, texts = summarize(read(folder)), Texts("zh")
    (folder / "report.html").write_text(standalone(run, texts), encoding="utf-8")
    (folder / "post.md").write_text(posted(folder, run, texts, ()), encoding="utf-8")
    (folder / REPORT_FILE).write_text(derived(folder, run), encoding="ascii")
    seal(folder)
    return folder


def of_kind(lines: Lines, kind: str, **having: Any) -> Lines:
    """The events of a kind with these values."""
    return [line for line in lines if line["kind"] == kind and having.items() <= line.items()]


def having(kind: str, where: dict[str, Any] | None = None, **values: Any) -> Edit:
    """An edit that sets values in every event of a kind."""
    return lambda lines: [line.update(values) for line in of_kind(lines, kind, **(where or {}))]


def setting(**values: Any) -> Edit:
    return lambda lines: of_kind(lines, "RunStarted")[0]["settings"].update(values)


def replaced(old: str, new: str, *kinds: str) -> Edit:
    """An edit that replaces a text in every event of these kinds, or of all."""

    def edit(lines: Lines) -> None:
        for line in lines:
            if not kinds or line["kind"] in kinds:
                line.update(json.loads(json.dumps(line, ensure_ascii=False).replace(old, new)))

    return edit


def told(text: str) -> Edit:
    """An edit that lets the model tell another story."""

    def edit(lines: Lines) -> None:
        for line in of_kind(lines, "Exchanged"):
            if line["request"]["messages"][-1]["content"] == STORY_PROMPT:
                line["response"]["choices"][0]["message"]["content"] = text
                line["response"]["usage"].update(completion_tokens=len(text), total_tokens=len(text) + 46)

    return edit


def sampled(change: Callable[[float], float]) -> Edit:
    """An edit of every sample of VRAM, and of the figures that are said to follow from them."""

    def edit(lines: Lines) -> None:
        for line in of_kind(lines, "VramSampled"):
            line["samples"] = [[t, change(mib)] for t, mib in line["samples"]]
        for name in ("vram_after_start", "vram_peak"):
            for line in of_kind(lines, "Measured", name=name):
                line["value"] = change(line["value"])

    return edit


def both(*edits: Edit) -> Edit:
    return lambda lines: [edit(lines) for edit in edits]


def dropped(kind: str, number: int) -> Edit:
    return lambda lines: lines.remove(of_kind(lines, kind)[number])


def swapped(lines: Lines) -> None:
    """Tell the first two exchanges in the other order, each at the other's moment."""
    one, other = of_kind(lines, "Exchanged")[:2]
    moments = [{name: line[name] for name in ("t", "at")} for line in (one, other)]
    one.update(moments[1])
    other.update(moments[0])
    place = lines.index(one)
    lines[place : place + 2] = other, one


def sample(change: Callable[[float, float], list[float]]) -> Edit:
    """An edit of one sample's moment and MiB, in the time before anything was loaded."""

    def edit(lines: Lines) -> None:
        samples = of_kind(lines, "VramSampled")[6]["samples"]
        samples[3] = change(*samples[3])

    return edit


AS_PATH = both(
    having("CheckpointIdentified", origin="path", geometry="internlm2_5-1_8b"),
    having("RunStarted", changed={}),
    having("RunStarted", argv=["pytest", "-m", "gpu"]),
    setting(checkpoint="internlm2_5-1_8b-chat"),
)
"""The stand-in's run as that of the homework's model."""

THRESHOLDS = {"ready_limit_mib": 60000.0, "peak_limit_mib": 60000.0}


ANOTHER = having("CheckpointIdentified", fingerprint="0" * 64)
REAL = having("CheckpointIdentified", fingerprint="0" * 64, parameters=1889110016, bytes=3778300000)
SMALLER = (
    having("ArtefactVerified", found_bytes=3000000, predicted_bytes=3000000),
    having("Quantized", quantized_bytes=3000001),
)
CALLS = ("u4GQECCWm37cDHAHsPdhpj", "2fGqoeTpNhryzAdhVVbmf3")
ANOTHER_DAY = replaced("20261127T114526Z", "20261201T114526Z")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (told("Once upon a time a fox found a watermelon. It was sweet."), "replies_in_chinese: recorded"),
        (told("狐狸吃西瓜。" * 40), "chat.does_not_loop: recorded"),
        (told("从前有一只小猫在山上玩。它很高兴。天黑了，它回家睡觉。"), "tells_of_fox_and_watermelon: recorded"),
        (told("狐狸和西瓜的故事。<|im_end|>它很高兴，天黑了才回家。"), "leaks_no_special_token: recorded"),
        (replaced('{\\"a\\": 3, \\"b\\": 5}', '{\\"a\\": 9, \\"b\\": 5}', "Exchanged"), "tools.add: "),
        (replaced("The result of 3+5 is 8.", "The result of 3+5 is 9.", "Exchanged"), "tools.add: "),
        (dropped("Exchanged", 1), "tools.add: recorded as passed"),
        (having("TryJudged", {"claim": "tools.add"}, reply="8"), "tools.add: the tries do not follow"),
        (having("Measured", {"name": "chinese_share_of_letters"}, value=0.9), "chinese_share_of_letters: 0.9 / 1.0"),
        (having("Measured", {"name": "vram_after_start"}, value=8294.4), "vram_after_start: 8294.4 / 33"),
        (having("Measured", {"name": "vram_peak"}, value=8294.4), "vram_peak: 8294.4 / 33"),
        (sampled(lambda mib: mib / 4), "vram.after_start: recorded as passed"),
        (both(sampled(lambda mib: mib + 20000), having("VramExpected", **THRESHOLDS)), "thresholds do not follow"),
        (both(dropped("VramSampled", -1), dropped("VramSampled", -1)), "vram.released: recorded as passed"),
        (dropped("EnvironmentRecorded", 0), "environment.recorded: recorded as passed, and the record does not hold"),
        (ANOTHER_DAY, "run_id is 20261201"),
        (both(ANOTHER_DAY, replaced('"at": "2026-11-27', '"at": "2026-12-01')), "created is"),
        (AS_PATH, "origin is path, and fingerprint says standin"),
        (both(AS_PATH, ANOTHER), "parameters is 4787456"),
        (both(AS_PATH, REAL), "source_bytes is 9579624"),
        (having("Quantized", quantized_bytes=1000), "and Quantized says 1000"),
        (both(*SMALLER), "found_bytes is 3000000"),
        (
            replaced('"--quant-policy", "4"', '"--quant-policy", "8"', "ServerLaunched"),
            "quant-policy is 8, and settings",
        ),
        (setting(cache_max_entry_count=0.8), "and settings says 0.8"),
        (setting(call_tries=50), "call_tries is 50, and changed"),
        (replaced("127.0.0.1:51687", "127.0.0.1:51688", "ServerLaunched"), "--server-port is 51687"),
        (having("Adapted", lmdeploy="0.17.0"), "lmdeploy is 0.17.0"),
        (having("EnvironmentRecorded", gpu_total_mib=24564), "total is 81559"),
        (replaced("chatcmpl-Tj83Ja4aGRt9askVs7vQLH", "chatcmpl-ELynpoDrfSXpfAoKP5t9fb"), "Exchanged.id"),
        (replaced(*(f"chatcmpl-tool-{id_}" for id_ in CALLS)), f"Exchanged.id is chatcmpl-tool-{CALLS[1]}"),
        (swapped, "tool_call_id is"),
        (replaced('"created": 1795779978', '"created": 1795780078'), "created is 1795780078"),
        (sample(lambda t, mib: [t - 0.5, mib]), ", and before says"),
        (sample(lambda t, _: [t, -1.0]), "VramSampled.samples is -1.0"),
        (sample(lambda t, _: [t, 90000.0]), "VramSampled.samples is 90000.0"),
        (having("Quantized", seconds=3000.0), "Quantized.seconds is 3000.0, and t says 34"),
        (having("ServerReady", seconds=2.0), "ServerReady.seconds is 2.0, and t says 17.6"),
        (having("Exchanged", seconds=30.0), "Exchanged.seconds is 30.0, and ServerReady says 0.0"),
        (replaced('"--calib-dataset", "wikitext2"', '"--calib-dataset", "ptb"'), "calibration_text says wikitext2"),
        (replaced('"--calib-samples", "128"', '"--calib-samples", "4"'), "calibration_text says 128"),
        (replaced('"2048"', '"64"', "Quantized"), "calibration_text says 2048"),
        (replaced("你是一个友好的小助手", "你是狐狸", "Exchanged"), "chat.ends_by_itself: recorded as passed, but"),
        (
            replaced('"max_tokens": 2048', '"max_tokens": 99', "Exchanged"),
            "chat.ends_by_itself: recorded as passed, but",
        ),
        (having("Quantized", quantized_bytes=3480000), "thresholds do not follow"),
        (
            having("Measured", {"claim": "server.requires_key"}, value=[200, 401]),
            "not as required: status_without_a_key",
        ),
    ],
)
def test_forged_run_is_contradicted(edit: Edit, words: str, tmp_path: Path) -> None:
    found = [str(problem) for problem in verify(forged(tmp_path / "run", edit)).problems]
    assert any(words in problem for problem in found), found


def test_run_that_only_was_derived_again_is_contradicted_by_nothing(tmp_path: Path) -> None:
    assert verify(forged(tmp_path / "run", lambda _: None)).problems == ()


def test_servers_of_a_suite_are_compared_again(tmp_path: Path) -> None:
    edited = having("QualityMeasured", {"name": "W4A16 + int4 KV"}, right=[False] * 100)
    assert verify(forged(tmp_path / "same", lambda _: None, of="standin-quality")).problems == ()
    found = verify(forged(tmp_path / "edited", edited, of="standin-quality"))
    assert any("quality.chains_int4_kv" in str(problem) for problem in found.problems)


def test_refusal_edited_into_a_pass_is_contradicted(tmp_path: Path) -> None:
    edit = having("TestFinished", outcome="passed", cause="")
    words = "".join(map(str, verify(forged(tmp_path / "run", edit, of="geometry")).problems))
    assert all(f"{claim}: recorded as passed" in words for claim in ("chat.replies_in_chinese", "tools.chain"))


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("report.html", "banner accepted_with_standin", "banner accepted", "report.html is accepted"),
        ("report.html", "很久以前", "从前", "report.html"),
        ("post.md", "很久以前", "从前", "post.md"),
        ("*.log", "standin-chat-w4a16", "1_8b-chat-w4a16", "ServerLaunched"),
        ("*.log", '" 200 OK', '" 500 Oh', "POST 200"),
        ("*.log", "", "", "ServerLaunched"),
        ("report.html", "", "", "report.html"),
        ("post.md", "", "", "post.md"),
        ("report.json", '"peak_mib": 33206.8', '"peak_mib": 1', "report.json"),
    ],
)
def test_file_edited_and_sealed_anew_is_contradicted(name: str, old: str, new: str, words: str, tmp_path: Path) -> None:
    folder = forged(tmp_path / "run", lambda _: None)
    file = next(folder.glob(name))
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new) if old else "", encoding="utf-8")
    seal(folder)
    assert words in "".join(map(str, verify(folder).problems))


@pytest.mark.parametrize("name", ["report.html", "post.md"])
def test_page_of_the_same_version_must_follow_word_for_word(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = forged(tmp_path / "run", lambda _: None)
    monkeypatch.setattr(verification, "same_version", lambda _: True)
    assert verify(folder).problems == ()
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(text.replace("32.4", "8.1"), encoding="utf-8")
    seal(folder)
    assert [(one.id, one.fields["file"]) for one in verify(folder).problems] == [("seal.not_derived", name)]
    monkeypatch.undo()
    assert [note.fields["file"] for note in verify(folder).notes if note.id == "seal.other_version"] == [name]


def test_whatever_is_not_sealed_is_named(tmp_path: Path) -> None:
    folder = forged(tmp_path / "run", lambda _: None)
    (folder / "more").mkdir()
    (folder / "more" / "verdict.png").write_bytes(b"")
    (folder / "console.txt").symlink_to("nowhere")
    note = next(note for note in verify(folder).notes if note.id == "seal.added")
    assert note.fields["files"] == ["console.txt", "more/verdict.png"]


def test_challenge_that_was_written_into_an_older_run_is_not_answered(tmp_path: Path) -> None:
    folder = forged(tmp_path / "run", setting(challenge="moon"))
    found = {challenge: [one.id for one in verify(folder, challenge).problems] for challenge in ("moon", "sun")}
    assert "seal.challenge_failed" in found["moon"]
    assert "seal.challenge_other" in found["sun"]


def test_copied_runs_are_found_beside_their_originals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = forged(tmp_path / "copy", replaced("20261127T114526Z-7c95", "20261127T114540Z-1111"))
    for log in copy.glob("*.log"):
        log.rename(copy / log.name.replace("20261127T114526Z-7c95", "20261127T114540Z-1111"))
    seal(copy)
    others = [str(REPORTS / name) for name in ("standin-cold", "standin-cached", "real-kv4")]
    assert main(["verify", *others, "--lang", "en"]) == 0
    assert main(["verify", str(copy), "--lang", "en"]) == 0
    assert main(["verify", *others, str(copy), "--lang", "en"]) == 1
    shown = capsys.readouterr().out
    assert "20261127T114526Z-7c95 and 20261127T114540Z-1111: 8 answers are the same" in shown
    assert "samples of VRAM are the same" in shown


def test_pack_holds_what_is_sealed_and_is_verified_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, packed = forged(tmp_path / "run", lambda _: None), tmp_path / "run.zip"
    assert main(["pack", str(folder), "--out", str(packed), "--lang", "en"]) == 0
    assert main(["verify", str(packed), "--lang", "en"]) == 0
    log = next(folder.glob("*.log"))
    log.write_bytes(os.urandom(LIMIT + 1))
    seal(folder)
    assert main(["pack", str(folder), "--out", str(packed), "--lang", "en"]) == 1
    assert log.name in capsys.readouterr().err
    assert not packed.exists()
    log.write_bytes(b"")
    seal(folder)
    assert main(["pack", str(folder), "--out", "/dev/full", "--lang", "en"]) == 1
    assert "the folder of --out cannot be written: No space left" in capsys.readouterr().err
    (folder / SEAL_FILE).unlink()
    packed.write_bytes(b"PK")
    assert main(["pack", str(folder), "--out", str(packed)]) == main(["verify", str(packed)]) == 2
