"""The doctor names what will go wrong and how to fix it, and its exit code says if anything will."""

import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from fixtures.doctor import checks
from fixtures.doctor.finding import Finding, bad, good, note
from fixtures.doctor.known_breaks import BREAKS, DISTRIBUTIONS, found
from fixtures.doctor.telling import tell
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, capabilities
from fixtures.model.checkpoint import whole
from fixtures.run.columns import columns
from fixtures.run.settings import Settings, resolve
from fixtures.texts import catalogue
from tests.unit.pytest_processes import run
from tests.unit.tiny_checkpoint import random_weights, write_checkpoint, write_weights
from tests.unit.waiting import ROOT

HEALTHY = {
    "lmdeploy": "0.18.0", "transformers": "4.57.6", "huggingface_hub": "0.36.0", "datasets": "3.6.0",
    "numpy": "2.3.1", "pyarrow": "26.0", "httpx": "0.28.1", "openai": "3.54.0", "torch": "2.10.0",
}  # fmt: skip
NUMPY_1 = {"lmdeploy": "0.9.2.post1", "numpy": "1.26.4"}


def settings_of(**values: str) -> Settings:
    return resolve(values.get, lambda _: None, {}, Path("/nowhere"))


def ids(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.id, finding.grade) for finding in findings]


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, set()),
        ({"transformers": "5.23.0"}, {"transformers_5"}),
        ({"huggingface_hub": "1.0.0"}, {"huggingface_hub_1"}),
        ({"lmdeploy": "0.11.1", "datasets": "4.0.0"}, {"datasets_4"}),
        ({"lmdeploy": "0.9.2.post1"}, {"numpy_2"}),
        (NUMPY_1, {"pyarrow_26"}),
        ({"openai": "1.40.3"}, {"httpx_28"}),
        ({**NUMPY_1, "pyarrow": "25.0", "gradio": "6.0.0"}, {"gradio_6"}),
        ({"torch": "2.1.2"}, {"torch_1"}),
    ],
)
def test_versions_that_break_together_are_found(changed: dict[str, str], wanted: set[str]) -> None:
    versions = {**HEALTHY, **changed}
    assert {row.id for row in found(versions)} == wanted
    assert set(ids(checks.pins(versions))) == ({(id_, "bad") for id_ in wanted} or {("pins", "good")})
    assert {row.distribution for row in BREAKS} <= set(DISTRIBUTIONS)
    assert {f"doctor.{id_}.what" for id_ in wanted} <= set(catalogue())


@pytest.mark.parametrize(
    ("version", "wanted"), [("0.5.2", "old_lmdeploy"), (NEWEST_TRIED, "lmdeploy"), ("99.0", "new_lmdeploy")]
)
def test_lmdeploy_that_was_not_tried_is_told(version: str, wanted: str) -> None:
    assert [finding.id for finding in checks.lmdeploy_version({"lmdeploy": version})] == [wanted]


def test_cuda_of_the_wheel_is_read_without_importing_torch() -> None:
    assert checks.cuda_of("__version__ = '2.10.0'\ncuda: Optional[str] = '12.8'\nhip = None\n") == "12.8"
    assert checks.cuda_of("cuda: Optional[str] = None\n") == ""


@pytest.mark.parametrize(
    ("wheel", "driver", "wanted"),
    [("13.0", "12.8", "driver_old"), ("12.8", "12.2", "driver_minor"), ("12.8", "13.0", "driver")],
)
def test_driver_runs_its_own_major_version_of_cuda_and_older_ones(wheel: str, driver: str, wanted: str) -> None:
    assert checks.driver_finding(wheel, driver).id == wanted


def test_memory_in_use_is_told_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = checks.whole(write_checkpoint(tmp_path / "internlm2_5-1_8b-chat"))
    for used, wanted in ((100, "vram"), (4_000, "vram_busy"), (23_500, "vram_short")):
        settings = settings_of(vram_command=f"echo {used}MiB / 24576MiB")
        assert [finding.id for finding in checks.gpu(settings, {}, content, "12.8")][-1] == wanted
    monkeypatch.setenv("PATH", "")
    absent = checks.gpu(settings_of(vram_command="no-such-command"), {}, content, "")
    assert ids(absent)[:2] == [("cpu_torch", "bad"), ("gpu_wrong", "bad")]


FALLBACK = capabilities(NEWEST_TRIED).fallback
SYMBOL = "ImportError: /opt/lib/libcublas.so.12: undefined symbol: cublasLtMatmul"


@pytest.mark.parametrize(
    ("python", "wanted", "why"),
    [
        ("print('loaded')", ("turbomind", "good"), "None"),
        (f"print('noise'); raise ImportError({SYMBOL.partition(': ')[2]!r})", ("turbomind_unloadable", "bad"), SYMBOL),
        ("import os; os.abort()", ("turbomind_unloadable", "bad"), "exit code -6"),
        ("import time; time.sleep(60)", ("turbomind_slow", "note"), "None"),
    ],
)
def test_engine_that_cannot_be_loaded_is_told_beforehand(
    monkeypatch: pytest.MonkeyPatch, python: str, wanted: tuple[str, str], why: str
) -> None:
    monkeypatch.setattr(checks, "TURBOMIND_TIMEOUT", 0.2 if "sleep" in python else 30.0)
    (finding,) = checks.turbomind(settings_of(), replace(FALLBACK, shown_by=python))
    assert (finding.id, finding.grade) == wanted
    assert str(finding.fields.get("why")) == why


def test_engine_is_loaded_only_where_there_is_a_gpu_and_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "turbomind", lambda *_: iter([note("turbomind_slow", seconds=0)]))
    monkeypatch.setattr(checks.environment, "versions", lambda _: HEALTHY)

    def looked(**values: str) -> bool:
        given = settings_of(checkpoint="standin", calibration="local", **values)
        return ("turbomind_slow", "note") in ids(checks.examine(given, tmp_path))

    assert looked(vram_command="echo 100MiB / 24576MiB")
    assert not looked(vram_command="no-such-command")
    assert not looked(rehearse="yes")
    assert not looked(base_url="http://127.0.0.1:1/v1")
    monkeypatch.undo()
    assert list(checks.turbomind(settings_of(backend="pytorch"), FALLBACK)) == []


def test_broken_checkpoint_is_told(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    settings = settings_of(checkpoint=str(folder))
    assert ids(checks.checkpoint(settings)[1]) == [("checkpoint", "good")]
    (folder / "model-00001-of-00002.safetensors").unlink()
    content, findings = checks.checkpoint(settings)
    assert content is None
    assert ids(findings) == [("checkpoint_wrong", "bad")]


@pytest.mark.parametrize(
    ("outlier", "policy", "wanted", "advice"),
    [
        (0.0, "4", [("kv_cache", "good")], ""),
        (5.0, "4", [("kv_cache_lossy", "note")], "kv_cache.int8"),
        (500.0, "4", [("kv_cache_lossy", "note")], "kv_cache.whole"),
        (5.0, "8", [("kv_cache", "good")], ""),
        (500.0, "8", [("kv_cache_lossy", "note")], "kv_cache.whole"),
        (500.0, "0", [], ""),
    ],
)
def test_keys_that_a_quantized_cache_cannot_hold_are_told(
    tmp_path: Path, outlier: float, policy: str, wanted: list[tuple[str, str]], advice: str
) -> None:
    weights = random_weights("Qwen2ForCausalLM")
    weights["model.layers.1.self_attn.k_proj.bias"][3] = outlier
    folder = write_weights(tmp_path / "model", "Qwen2ForCausalLM", weights)
    # The made-up heads are shorter than TurboMind's int4 cache takes.
    settings = settings_of(checkpoint=str(folder), quant_policy=policy, backend="pytorch")
    found = list(checks.kv_cache(settings, whole(folder)))
    assert ids(found) == wanted
    if policy == "4":
        own = checks.kv_cache(replace(settings, backend="turbomind"), whole(folder))
        assert ids(list(own)) == [("int4_head_dim", "bad")]
    assert [one.fields["advice"].id for one in found if one.grade == "note"] == ([advice] if advice else [])
    assert tell(found, "en", Mock(fullwidth=80)) == 0, "it is no certainty"
    assert list(checks.kv_cache(replace(settings, base_url="http://127.0.0.1:1/v1"), whole(folder))) == []


def test_quantized_cache_is_not_foretold_from_tensors_that_are_not_known(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    unknown = replace(whole(folder), places={})
    assert list(checks.kv_cache(settings_of(checkpoint=str(folder), backend="pytorch"), unknown)) == []
    assert list(checks.kv_cache(settings_of(checkpoint=str(folder)), None)) == []
    standin = checks.checkpoint(settings_of(checkpoint="standin"))[0]
    assert ids(checks.kv_cache(settings_of(checkpoint="standin"), standin)) == [("kv_cache", "good")]


def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = checks.whole(write_checkpoint(tmp_path / "model"))
    assert ids(checks.disk(tmp_path / "not" / "there", content)) == [("disk", "good")]
    monkeypatch.setattr(checks, "SPARE_BYTES", 2**80)
    assert ids(checks.disk(tmp_path, content)) == [("disk_short", "bad")]


def test_taken_port_is_told_with_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = next(checks.port(settings_of(server_port=str(taken.getsockname()[1]))))
    assert finding.id == "port_taken"
    assert finding.fields["who"]
    assert list(checks.port(settings_of())) == [], "nothing to say where the port is chosen later"


def test_silent_hub_matters_only_where_it_was_asked_for() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        environment = {"HF_ENDPOINT": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        assert ids(checks.hub(settings_of(), environment)) == [("hub_away", "note")]
        assert ids(checks.hub(settings_of(calibration="hub"), environment)) == [("hub_away", "bad")]
    assert ids(checks.hub(settings_of(calibration="local"), {})) == []
    assert ids(checks.hub(settings_of(), {"HF_HUB_OFFLINE": "1"})) == [("hub_away", "note")]


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, None),
        ({"http_proxy": "http://proxy:1"}, "127.0.0.1,0.0.0.0"),
        ({"http_proxy": "http://proxy:1", "no_proxy": "localhost, 127.0.0.1"}, "0.0.0.0"),
        ({"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "127.0.0.1,0.0.0.0"}, None),
    ],
)
def test_proxy_without_an_exception_for_this_machine_is_told(environment: dict[str, str], missing: str) -> None:
    assert [finding.fields["missing"] for finding in checks.proxies(environment)] == ([missing] if missing else [])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_findings_fit_the_terminal_and_decide_the_exit_code(language: str) -> None:
    writer = Mock(fullwidth=50)
    fields = {"version": "5.23.0", "lmdeploy": "0.18.0", "pip": "transformers==4.57.6"}
    assert tell([good("python", version="3.11.7"), note("no_pictures")], language, writer) == 0
    assert tell([bad("transformers_5", **fields)], language, writer, "venv/bin/pip") == 1
    lines = [call.args[0] for call in writer.line.call_args_list]
    assert "venv/bin/pip install" in "\n".join(lines)
    assert all(columns(line) < 50 for line in lines)


def test_command_ends_before_anything_is_written(tmp_path: Path) -> None:
    options = ("--doctor", "--checkpoint", "standin", "--calibration", "local", "--report-lang", "en", "--rehearse")
    evidence = tmp_path / "evidence"
    where = ("-c", str(ROOT / "pytest.ini"), "--evidence-dir", str(evidence), str(ROOT / "tests" / "acceptance"))
    result = run(tmp_path, "-m", "gpu", *options, *where)
    result.stdout.fnmatch_lines(["* checkpoint internlm2_5-standin-chat is whole*"])
    assert result.ret in (0, 1)
    assert not evidence.exists()
