"""The command lines: the homework's, in the words of each version."""

from pathlib import Path

import pytest

from fixtures.errors import LmdeployError
from fixtures.homework import AWQ
from fixtures.lmdeploy import commands
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.lmdeploy.commands import (
    Program,
    ServeCommand,
    awq_command,
    lmdeploy_program,
    proxy_command,
    replica,
    require_servable,
    serve_command,
)
from fixtures.run.settings import Settings, resolve

LMDEPLOY = Program(("lmdeploy",))
MODEL = Path("/models/internlm2_5-1_8b-chat")
QUANTIZED = Path("/cache/internlm2_5-1_8b-chat-w4a16-4bit")


def awq(version: str) -> str:
    return " ".join(awq_command(LMDEPLOY, MODEL, QUANTIZED, AWQ, capabilities(version), {}).shown)


def settings(**given: str) -> Settings:
    return resolve(given.get, lambda _: None, {}, Path("/"))


def command(
    version: str, proxy_url: str = "", program: Program = LMDEPLOY, model_format: str = "awq", **given: str
) -> ServeCommand:
    row, name = capabilities(version), "internlm2_5-1_8b-chat"
    return serve_command(program, QUANTIZED, name, model_format, 23333, settings(**given), row, proxy_url=proxy_url)


def serve(version: str, **given: str) -> str:
    return " ".join(command(version, **given).shown)


def test_commands_have_the_homeworks_arguments() -> None:
    assert awq("0.5.3") == (
        "lmdeploy lite auto_awq internlm2_5-1_8b-chat --calib-dataset ptb --calib-samples 128 --calib-seqlen 2048 "
        "--w-bits 4 --w-group-size 128 --batch-size 1 --work-dir internlm2_5-1_8b-chat-w4a16-4bit"
    )
    assert serve("0.5.3") == (
        "lmdeploy serve api_server internlm2_5-1_8b-chat-w4a16-4bit --model-format awq --quant-policy 4 "
        "--cache-max-entry-count 0.4 --server-name 127.0.0.1 --server-port 23333 --tp 1 "
        "--model-name internlm2_5-1_8b-chat"
    )


def test_newest_version_is_spoken_to_in_its_words() -> None:
    made = awq(NEWEST_TRIED)
    assert "--calib-dataset wikitext2" in made
    assert "--trust-remote-code" in made
    assert "/" not in made, "no folder of this machine is published"
    assert serve(NEWEST_TRIED).endswith("--tool-call-parser internlm --trust-remote-code")


def test_settings_reach_the_command_line() -> None:
    made = serve(NEWEST_TRIED, server_name="0.0.0.0", quant_policy="8", cache_max_entry_count="0.25", tp="2")
    assert "--quant-policy 8 --cache-max-entry-count 0.25 --server-name 0.0.0.0 --server-port 23333 --tp 2" in made
    made = serve(NEWEST_TRIED, session_len="4096", backend="pytorch")
    assert "--session-len 4096" in made
    assert "--backend pytorch" in made


@pytest.mark.parametrize(
    ("version", "backend", "model_format", "said"),
    [
        ("0.8.0", "pytorch", "hf", True),
        ("0.9.2.post1", "pytorch", "hf", False),
        (NEWEST_TRIED, "pytorch", "hf", False),
        (NEWEST_TRIED, "pytorch", "awq", True),
        (NEWEST_TRIED, "turbomind", "hf", True),
    ],
)
def test_format_is_left_out_where_the_engine_dies_of_it(
    version: str, backend: str, model_format: str, said: bool
) -> None:
    assert (f"--model-format {model_format}" in serve(version, model_format=model_format, backend=backend)) is said


def test_engine_that_cannot_serve_the_deployment_is_refused() -> None:
    pytorch = settings(backend="pytorch")
    with pytest.raises(LmdeployError) as caught:
        require_servable(pytorch, capabilities("0.5.3"), "awq")
    assert [one.id for one in caught.value.fields["lacks"]] == ["pytorch_engine.awq", "pytorch_engine.kv"]
    assert "AutoAWQ" in str(caught.value)
    assert "0.7.2 or newer" in str(caught.value)
    with pytest.raises(LmdeployError, match="AutoAWQ"):
        require_servable(pytorch, capabilities("0.6.5"), "awq")
    require_servable(pytorch, capabilities("0.6.5"), "hf")
    require_servable(pytorch, capabilities(NEWEST_TRIED), "awq")
    require_servable(settings(), capabilities("0.5.3"), "awq")
    require_servable(settings(backend="pytorch", rehearse="yes"), capabilities("0.5.3"), "awq")


@pytest.mark.parametrize(
    ("given", "engine", "heeds_the_log"),
    [({}, "turbomind", True), ({"backend": "pytorch"}, "pytorch", False), ({"rehearse": "yes"}, "", False)],
)
def test_server_knows_its_engine_and_the_words_for_another(
    given: dict[str, str], engine: str, heeds_the_log: bool
) -> None:
    made = command("0.14.0", **given)
    assert made.engine == engine
    assert made.fallback == (capabilities("0.14.0").fallback if heeds_the_log else None)


def test_lmdeploy_beside_this_python_wins_and_without_any_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(commands.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LmdeployError, match="no `lmdeploy` program"):
        lmdeploy_program(rehearse=False)
    (tmp_path / "lmdeploy").touch()
    assert lmdeploy_program(rehearse=False).argv == (str(tmp_path / "lmdeploy"),)


def test_distributor_sees_no_gpu_and_remembers_nothing() -> None:
    made = proxy_command(LMDEPLOY, "127.0.0.1", 8000, "sk-secret")
    assert " ".join(made.shown) == (
        "lmdeploy serve proxy --server-name 127.0.0.1 --server-port 8000 --disable-cache-status "
        "--api-keys KEY_OF_THIS_RUN"
    )
    assert made.env["CUDA_VISIBLE_DEVICES"] == ""
    assert (made.role, made.model_name) == ("proxy", "")
    assert "sk-secret" not in " ".join(made.argv)


def test_replica_registers_and_has_gpus_of_its_own() -> None:
    program = Program(("lmdeploy",), {"KEPT": "1"})
    made = command(NEWEST_TRIED, "http://127.0.0.1:8000", program, tp="2")
    assert made.shown[-2:] == ("--proxy-url", "http://127.0.0.1:8000")
    second = replica(made, "2 of 2", ("GPU-2", "GPU-3"))
    assert (second.env["CUDA_VISIBLE_DEVICES"], second.env["KEPT"]) == ("GPU-2,GPU-3", "1")
    assert "127.0.0.1" in second.env["NO_PROXY"]
    assert "CUDA_VISIBLE_DEVICES" not in replica(made, "1 of 2", ()).env
