"""The command lines: the homework's, in the words of each version."""

import subprocess
from pathlib import Path

import pytest

from fixtures.errors import LmdeployError
from fixtures.homework import AWQ
from fixtures.lmdeploy import commands
from fixtures.lmdeploy.capabilities import TABLE, capabilities
from fixtures.lmdeploy.commands import Program, awq_command, lmdeploy_program, proxy_command, replica, serve_command
from fixtures.run.settings import resolve

MODEL = Path("/models/internlm2_5-1_8b-chat")
QUANTIZED = Path("/cache/internlm2_5-1_8b-chat-w4a16-4bit")


def awq(version: str) -> str:
    return " ".join(awq_command(Program(("lmdeploy",)), MODEL, QUANTIZED, AWQ, capabilities(version), {}).shown)


def serve(version: str, **settings: str) -> str:
    chosen = resolve(settings.get, lambda _: None, {}, Path("/"))
    table = capabilities(version)
    command = serve_command(Program(("lmdeploy",)), QUANTIZED, "internlm2_5-1_8b-chat", "awq", 23333, chosen, table)
    return " ".join(command.shown)


def test_auto_awq_has_the_homeworks_arguments() -> None:
    assert awq("0.5.3") == (
        "lmdeploy lite auto_awq internlm2_5-1_8b-chat --calib-dataset ptb --calib-samples 128 --calib-seqlen 2048 "
        "--w-bits 4 --w-group-size 128 --batch-size 1 --work-dir internlm2_5-1_8b-chat-w4a16-4bit"
    )


def test_auto_awq_speaks_the_newest_versions_language() -> None:
    assert "--calib-dataset wikitext2" in awq("0.18.0")
    assert "--trust-remote-code" in awq("0.18.0")


@pytest.mark.parametrize(
    ("given", "engine", "heeds_the_log"),
    [
        ({}, "turbomind", True),
        ({"backend": "pytorch"}, "pytorch", False),
        ({"rehearse": "yes"}, "", False),
    ],
)
def test_the_server_knows_its_engine_and_how_another_would_be_told(
    given: dict[str, str], engine: str, heeds_the_log: bool
) -> None:
    chosen = resolve(given.get, lambda _: None, {}, Path("/"))
    table = capabilities("0.14.0")
    command = serve_command(Program(("lmdeploy",)), QUANTIZED, "internlm2_5-1_8b-chat", "awq", 23333, chosen, table)
    assert command.engine == engine
    assert command.fallback == (table.fallback if heeds_the_log else None)


def test_search_scale_is_never_passed() -> None:
    assert not [row.since for row in TABLE if "--search-scale" in awq(row.since)]


def test_the_server_has_the_homeworks_arguments() -> None:
    line = serve("0.5.3")
    for words in (
        "--model-format awq",
        "--quant-policy 4",
        "--cache-max-entry-count 0.4",
        "--tp 1",
        "--server-port 23333",
    ):
        assert words in line
    assert "--tool-call-parser" not in line
    assert "--trust-remote-code" not in line


def test_the_server_speaks_the_newest_versions_language() -> None:
    line = serve("0.18.0")
    assert "--tool-call-parser internlm" in line
    assert "--trust-remote-code" in line


def test_the_server_listens_on_loopback_unless_asked() -> None:
    assert "--server-name 127.0.0.1" in serve("0.18.0")
    assert "--server-name 0.0.0.0" in serve("0.18.0", server_name="0.0.0.0")


def test_settings_reach_the_command_line() -> None:
    line = serve(
        "0.18.0", quant_policy="8", cache_max_entry_count="0.25", session_len="4096", tp="2", backend="pytorch"
    )
    for words in (
        "--quant-policy 8",
        "--cache-max-entry-count 0.25",
        "--session-len 4096",
        "--tp 2",
        "--backend pytorch",
    ):
        assert words in line


def test_what_is_shown_has_no_folders() -> None:
    assert "/" not in awq("0.18.0")
    assert "/" not in serve("0.18.0")


def test_unknown_newer_versions_are_treated_as_the_newest() -> None:
    assert capabilities("99.0") == TABLE[-1]


def test_a_version_before_the_homeworks_is_refused() -> None:
    with pytest.raises(LmdeployError, match="older than the homework's"):
        capabilities("0.4.2")


def test_the_table_is_in_order_without_gaps() -> None:
    assert [capabilities(row.since) for row in TABLE] == list(TABLE)


def test_no_lmdeploy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(commands.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LmdeployError, match="no `lmdeploy` program"):
        lmdeploy_program(rehearse=False)


def test_lmdeploy_beside_this_python_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lmdeploy").touch()
    monkeypatch.setattr(commands.sys, "executable", str(tmp_path / "python"))
    assert lmdeploy_program(rehearse=False).argv == (str(tmp_path / "lmdeploy"),)


def test_a_rehearsal_is_found_from_any_folder(tmp_path: Path) -> None:
    program = lmdeploy_program(rehearse=True)
    words = [*program.argv[:1], "-c", "import fixtures; print(fixtures.__name__)"]
    said = subprocess.run(words, cwd=tmp_path, env=program.env, capture_output=True, text=True, check=True)
    assert said.stdout == "fixtures\n"


def test_the_distributor_sees_no_gpu_and_remembers_nothing() -> None:
    command = proxy_command(Program(("lmdeploy",)), "127.0.0.1", 8000, "sk-secret")
    assert " ".join(command.shown) == (
        "lmdeploy serve proxy --server-name 127.0.0.1 --server-port 8000 --disable-cache-status "
        "--api-keys KEY_OF_THIS_RUN"
    )
    assert command.env["CUDA_VISIBLE_DEVICES"] == ""
    assert (command.role, command.model_name) == ("proxy", "")
    assert "sk-secret" not in " ".join(command.argv)


def test_a_replica_registers_and_has_gpus_of_its_own() -> None:
    chosen = resolve({"tp": "2"}.get, lambda _: None, {}, Path("/"))
    program, table = Program(("lmdeploy",), {"KEPT": "1"}), capabilities("0.18.0")
    command = serve_command(program, QUANTIZED, "m", "awq", 23333, chosen, table, proxy_url="http://127.0.0.1:8000")
    assert command.shown[-2:] == ("--proxy-url", "http://127.0.0.1:8000")
    second = replica(command, "2 of 2", ("GPU-2", "GPU-3"))
    assert second.env["CUDA_VISIBLE_DEVICES"] == "GPU-2,GPU-3"
    assert second.env["KEPT"] == "1"
    assert "127.0.0.1" in second.env["NO_PROXY"]
    assert "--tp 2" in " ".join(second.shown)
    assert "CUDA_VISIBLE_DEVICES" not in replica(command, "1 of 2", ()).env
    assert "--proxy-url" not in serve("0.18.0")
