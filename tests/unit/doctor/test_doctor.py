"""The doctor names what will go wrong and how to fix it, and its exit code says if anything will."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from packaging.version import Version

from fixtures.doctor import case as cases
from fixtures.doctor import checks
from fixtures.doctor.case import Case, cuda_of
from fixtures.doctor.checks import card, model, network, packages, server, storage
from fixtures.doctor.finding import Finding, bad, good, note
from fixtures.doctor.known_breaks import BREAKS, DISTRIBUTIONS, found
from fixtures.doctor.telling import tell
from fixtures.errors import GpuError
from fixtures.gpu import probe
from fixtures.lmdeploy.capabilities import NEWEST_TRIED, TRIED, capabilities
from fixtures.model.checkpoint import whole
from fixtures.run.columns import columns
from fixtures.run.settings import Settings, resolve
from fixtures.texts import catalogue
from tests.unit.fake_nvml import FakeDevice, FakeNvml
from tests.unit.programs.chat_server import Chat
from tests.unit.pytest_processes import run
from tests.unit.serving import port_of
from tests.unit.tiny_checkpoint import random_weights, write_checkpoint, write_weights
from tests.unit.waiting import ROOT

HEALTHY = {
    "lmdeploy": "0.18.0", "transformers": "4.57.6", "huggingface_hub": "0.36.0", "datasets": "3.6.0",
    "numpy": "2.3.1", "pyarrow": "26.0", "httpx": "0.28.1", "openai": "3.54.0", "torch": "2.10.0",
}  # fmt: skip
NUMPY_1 = {"lmdeploy": "0.9.2.post1", "numpy": "1.26.4"}


def settings_of(**values: str) -> Settings:
    return resolve(values.get, lambda _: None, {}, Path("/nowhere"))


def case(environment: dict[str, str] | None = None, **values: str) -> Case:
    return Case(settings_of(**values), environment or {}, Path("/nowhere/evidence"))


def with_cards(
    monkeypatch: pytest.MonkeyPatch, *devices: FakeDevice, environment: dict[str, str] | None = None, **values: str
) -> Case:
    fake = FakeNvml(*devices)
    for module in (probe, cases):
        monkeypatch.setattr(module, "nvml_session", lambda: contextlib.nullcontext(fake))
    return case(environment, **values)


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
def test_versions_that_break_together_are_found(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], wanted: set[str]
) -> None:
    versions = {**HEALTHY, **changed}
    assert {row.id for row in found(versions)} == wanted
    monkeypatch.setattr(cases.environment, "versions", lambda _: versions)
    assert set(ids(packages.pins(case()))) == ({(id_, "bad") for id_ in wanted} or {("pins", "good")})
    assert {row.distribution for row in BREAKS} <= set(DISTRIBUTIONS)
    assert {f"doctor.{id_}.what" for id_ in wanted} <= set(catalogue())


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("0.5.2", "old_lmdeploy"),
        (NEWEST_TRIED, "lmdeploy"),
        (f"{NEWEST_TRIED}+cu118", "lmdeploy"),
        ("99.0", "new_lmdeploy"),
    ],
)
def test_lmdeploy_that_was_not_tried_is_told(monkeypatch: pytest.MonkeyPatch, version: str, wanted: str) -> None:
    monkeypatch.setattr(cases.environment, "versions", lambda _: {"lmdeploy": version})
    assert [finding.id for finding in packages.lmdeploy_version(case())] == [wanted]


def test_cuda_of_the_wheel_is_read_without_importing_torch() -> None:
    assert cuda_of("__version__ = '2.10.0'\ncuda: Optional[str] = '12.8'\nhip = None\n") == "12.8"
    assert cuda_of("cuda: Optional[str] = None\n") == ""


@pytest.mark.parametrize(
    ("wheel", "driver", "wanted"),
    [("13.0", "12.8", "driver_old"), ("12.8", "12.2", "driver_minor"), ("12.8", "13.0", "driver")],
)
def test_driver_runs_its_own_major_version_of_cuda_and_older_ones(wheel: str, driver: str, wanted: str) -> None:
    assert card.driver_finding(wheel, driver).id == wanted


def test_memory_in_use_is_told_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(write_checkpoint(tmp_path / "internlm2_5-1_8b-chat"))
    for used, wanted in ((100, "vram"), (4_000, "vram_busy"), (23_500, "vram_short")):
        found = case(checkpoint=folder, vram_command=f"echo {used}MiB / 24576MiB")
        assert [finding.id for finding in card.memory(found)] == [wanted]
    for device, advice in (
        (FakeDevice("GPU-1", used=81_000, running=[(7, 2**30)]), "vram.others"),
        (FakeDevice("GPU-1", used=81_000), "vram.hidden"),
        (FakeDevice("GPU-1", total=700), "vram.larger"),
    ):
        (short,) = card.memory(with_cards(monkeypatch, device, checkpoint=folder))
        assert short.fields["advice"].id == advice
    monkeypatch.setattr(card, "wheel_cuda", lambda: "")
    absent = card.cards(case(vram_command="no-such-command"))
    assert ids(absent) == [("cpu_torch", "bad"), ("gpu_wrong", "bad")]


P40, T4, V100, A100, RTX_4090, H100, B200, RTX_5090, SPARK = (
    (6, 1), (7, 5), (7, 0), (8, 0), (8, 9), (9, 0), (10, 0), (12, 0), (12, 1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("version", "capability", "wanted"),
    [
        *((version, P40, ["turbomind_kernels"]) for version in TRIED),
        *((version, one, []) for version in TRIED for one in (T4, A100, RTX_4090, H100)),
        *((version, V100, ["awq_kernels"] if version == "0.5.3" else []) for version in TRIED),
        *(
            (version, one, [] if Version(version) >= Version("0.13") else ["turbomind_kernels"])
            for version in TRIED
            for one in (B200, RTX_5090)
        ),
        (NEWEST_TRIED, SPARK, ["turbomind_kernels"]),
    ],
)
def test_card_is_held_against_the_kernels_in_the_wheel(
    monkeypatch: pytest.MonkeyPatch, version: str, capability: tuple[int, int], wanted: list[str]
) -> None:
    monkeypatch.setattr(cases.environment, "versions", lambda _: {"lmdeploy": version})
    found = list(card.kernels(with_cards(monkeypatch, FakeDevice("GPU-1", capability=capability))))
    assert [one.id for one in found] == wanted or ["kernels"]
    if wanted:
        able = [version for version in TRIED if capabilities(version).computes_on(capability)]
        assert found[0].fields["advice"].fields["newest"] == NEWEST_TRIED
        assert found[0].fields["advice"].fields.get("oldest") == (able[0] if able else None)


@pytest.mark.parametrize(
    ("torch", "capability", "told"),
    [("2.4.1", RTX_5090, True), ("2.8.0", P40, True), ("2.4.1", P40, False), ("2.10.0+cu126", P40, False)],
)
def test_card_is_held_against_the_kernels_of_a_known_torch(
    monkeypatch: pytest.MonkeyPatch, torch: str, capability: tuple[int, int], told: bool
) -> None:
    monkeypatch.setattr(cases.environment, "versions", lambda _: {"lmdeploy": NEWEST_TRIED, "torch": torch})
    found = with_cards(monkeypatch, FakeDevice("GPU-1", capability=capability), backend="pytorch")
    assert ("torch_kernels" in {one.id for one in card.kernels(found)}) is told


@pytest.mark.parametrize("wanted", ["tp", "replicas"])
def test_every_card_that_is_asked_for_is_looked_at(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    devices = [FakeDevice("GPU-1"), FakeDevice("GPU-2", "Tesla P40", used=81_000, capability=P40)]
    monkeypatch.setattr(cases.environment, "versions", lambda _: {"lmdeploy": NEWEST_TRIED})
    ordered = {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2"}
    both = with_cards(monkeypatch, *devices, environment=ordered, **{wanted: "2"})
    assert [one.fields["name"] for one in card.cards(both)] == [device.name for device in devices]
    assert [one.id for one in card.kernels(both)] == ["kernels", "turbomind_kernels"]
    assert [one.id for one in card.memory(both)] == ["vram", "vram_short"]
    for given, named in (
        ({}, "takes 2 GPUs, visible: 1"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-1"}, "VISIBLE_DEVICES=GPU-1"),
    ):
        few = with_cards(monkeypatch, *(devices if given else devices[:1]), environment=given, **{wanted: "2"})
        seen, problem = card.cards(few)
        assert (seen.id, problem.id) == ("gpu", "gpu_wrong")
        assert named in str(problem.fields["what"])


@pytest.mark.parametrize(
    ("share", "session", "wanted"),
    [
        ("0.4", "4096", ("kv_room", "good")),
        ("0.02", "1000000", ("kv_small", "note")),
        ("0.001", "1000000", ("kv_small", "bad")),
        ("0.001", "640", ("kv_small", "bad")),
    ],
)
def test_kv_cache_too_small_for_a_session_is_told_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch, share: str, session: str, wanted: tuple[str, str]
) -> None:
    def look(share: str) -> list[Finding]:
        few = {"checkpoint": "standin", "session_len": session, "cache_max_entry_count": share}
        return list(card.kv_room(with_cards(monkeypatch, FakeDevice("GPU-1", total=24_576), **few)))

    found = look(share)
    assert ids(found) == [wanted]
    if wanted[0] == "kv_small":
        advice = found[0].fields["advice"]
        again = look(str(advice.fields.get("advice", advice).fields["share"]))
        assert ("kv_small", "bad") not in ids(again), "what is advised helps"
        assert ids(again) == [("kv_room", "good")] or wanted[1] == "bad"


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
    monkeypatch.setattr(card, "TURBOMIND_TIMEOUT", 0.2 if "sleep" in python else 30.0)
    monkeypatch.setattr(cases.environment, "versions", lambda _: HEALTHY)
    row = replace(capabilities(NEWEST_TRIED), fallback=replace(FALLBACK, shown_by=python))
    monkeypatch.setattr(cases, "capabilities", lambda _: row)
    (finding,) = card.turbomind(case(vram_command="echo 100MiB / 24576MiB"))
    assert (finding.id, finding.grade) == wanted
    assert str(finding.fields.get("why")) == why


def test_engine_is_loaded_only_where_there_is_a_gpu_and_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases.environment, "versions", lambda _: HEALTHY)
    slow = Mock(side_effect=subprocess.TimeoutExpired("python", 0))
    monkeypatch.setattr(card, "subprocess", Mock(wraps=subprocess, run=slow, TimeoutExpired=subprocess.TimeoutExpired))

    def looked(**values: str) -> bool:
        given = settings_of(checkpoint="standin", calibration="local", **values)
        return ("turbomind_slow", "note") in ids(checks.examine(Case(given, {}, tmp_path)))

    assert looked(vram_command="echo 100MiB / 24576MiB")
    assert not looked(vram_command="no-such-command")
    assert not looked(rehearse="yes")
    assert not looked(base_url="http://127.0.0.1:1/v1")
    assert not looked(backend="pytorch", vram_command="echo 100MiB / 24576MiB")


def test_broken_checkpoint_is_told(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    assert ids(model.checkpoint(case(checkpoint=str(folder)))) == [("checkpoint", "good")]
    (folder / "model-00001-of-00002.safetensors").unlink()
    broken = case(checkpoint=str(folder))
    assert broken.content is None
    assert ids(model.checkpoint(broken)) == [("checkpoint_wrong", "bad")]


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
    found = list(model.kv_cache(case(checkpoint=str(folder), quant_policy=policy, backend="pytorch")))
    assert ids(found) == wanted
    if policy == "4":
        own = model.kv_cache(case(checkpoint=str(folder), quant_policy=policy))
        assert ids(list(own)) == [("int4_head_dim", "bad")]
    assert [one.fields["advice"].id for one in found if one.grade == "note"] == ([advice] if advice else [])
    assert tell(found, "en", Mock(fullwidth=80)) == 0, "it is no certainty"


def test_quantized_cache_is_not_foretold_from_tensors_that_are_not_known(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    unknown = case(checkpoint=str(folder), backend="pytorch")
    vars(unknown)["checkpoint"] = replace(whole(folder), places={})
    assert list(model.kv_cache(unknown)) == []
    assert list(model.kv_cache(case(checkpoint=str(tmp_path / "none")))) == []
    assert ids(model.kv_cache(case(checkpoint="standin"))) == [("kv_cache", "good")]


def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"checkpoint": "standin", "work_dir": str(tmp_path / "not" / "there")}
    assert ids(storage.work_disk(case(**given))) == [("disk", "good")]
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(storage, "SPARE_BYTES", 2**80)
    assert ids(storage.work_disk(case(**given))) == [("disk_short", "bad")]
    monkeypatch.setattr(storage, "FILES", 2**62)
    assert ids(storage.work_disk(case(**given))) == [("no_inodes", "bad")]


CACHES = ("HF_HOME", "XDG_CACHE_HOME", "HF_MODULES_CACHE", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "TRITON_CACHE_DIR")


@pytest.mark.parametrize("taken", CACHES)
@pytest.mark.parametrize("place", ["/proc", "FILE"])
def test_cache_that_cannot_be_written_is_told_with_what_to_export(tmp_path: Path, taken: str, place: str) -> None:
    (tmp_path / "FILE").touch()
    place = str(tmp_path / place)  # an absolute one stays as it is
    sound = {"XDG_CACHE_HOME": str(tmp_path), "TRITON_CACHE_DIR": str(tmp_path)}

    def look(**variables: str) -> list[Finding]:
        how = {"backend": "pytorch", "calibration": "hub", "work_dir": str(tmp_path)}
        return list(storage.caches(case({**sound, **variables}, **how)))

    assert look() == []
    (found,) = look(**{taken: f"{place}/none"})
    assert (found.id, found.grade, found.fields["place"]) == ("cache_unwritable", "bad", place)
    assert look(**{taken: f"{place}/none", found.fields["variable"]: found.fields["writable"]}) == []


def test_taken_port_is_told_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = next(server.port(case(server_port=str(taken.getsockname()[1]))))
    assert finding.id == "port_taken"
    assert finding.fields["who"]
    monkeypatch.setattr(server, "bind_error", lambda *_: PermissionError(13, "Permission denied"))
    assert ids(server.port(case(server_port="80"))) == [("port_refused", "bad")]
    assert list(server.port(case())) == [], "nothing to say where the port is chosen later"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:CLOSED"}, "hub_away"),
        ({"HF_ENDPOINT": "hf-mirror.com"}, "hub_address"),
        ({"HF_ENDPOINT": "https://hf-mirror.com/models"}, "hub_address"),
        ({"HF_ENDPOINT": '"https://hf-mirror.com"'}, "hub_address"),
        ({"HF_ENDPOINT": "http://someone:secret@127.0.0.1:CLOSED"}, "hub_away"),
        ({"HF_HUB_OFFLINE": "1"}, "offline"),
        ({"HF_DATASETS_OFFLINE": "true"}, "offline"),
        ({"TRANSFORMERS_OFFLINE": "YES"}, "offline"),
    ],
)
def test_hub_that_will_not_deliver_matters_only_where_it_was_asked_for(variables: dict[str, str], wanted: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        variables = {name: value.replace("CLOSED", str(closed.getsockname()[1])) for name, value in variables.items()}

        def told(**values: str) -> list[tuple[str, str]]:
            return [
                found for check in (network.offline, network.hub) for found in ids(check(case(variables, **values)))
            ]

        assert told() == [(wanted, "note")]
        assert told(calibration="hub") == [(wanted, "bad")]
        assert told(calibration="local") == []


DEAD = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, None),
        ({"http_proxy": DEAD}, "proxy"),
        ({"all_proxy": DEAD}, "proxy"),
        ({"https_proxy": DEAD}, None),
        ({"http_proxy": "", "HTTP_PROXY": DEAD}, None),
        ({"http_proxy": DEAD, "no_proxy": "localhost, 127.0.0.1"}, "proxy"),
        ({"HTTP_PROXY": DEAD, "NO_PROXY": "127.0.0.1,0.0.0.0"}, None),
        ({"HTTP_PROXY": DEAD, "NO_PROXY": "127.0.0.1,0.0.0.0", "no_proxy": ""}, "proxy"),
        ({"http_proxy": DEAD, "no_proxy": "127.0.0.1:PORT,0.0.0.0:PORT"}, None),
        ({"http_proxy": DEAD, "no_proxy": "127.0.0.1:1,0.0.0.0:1"}, "proxy"),
        ({"http_proxy": DEAD, "no_proxy": "*"}, None),
        ({"ALL_PROXY": "socks5://127.0.0.1:9", "no_proxy": "127.0.0.1,0.0.0.0"}, "proxy_unusable"),
        ({"https_proxy": "socks4://127.0.0.1:9", "no_proxy": "127.0.0.1,0.0.0.0"}, "proxy_unusable"),
        ({"http_proxy": "http://someone:secret#@127.0.0.1:9"}, "proxy_unusable"),
    ],
)
def test_proxies_are_told_as_the_homeworks_script_meets_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str | None
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with port_of(Chat) as port:

        def fails(host: str) -> bool:
            import openai  # no other of these tests needs it

            try:
                with openai.OpenAI(api_key="any", base_url=f"http://{host}:{port}/v1", max_retries=0) as client:
                    return not client.models.list().data
            except Exception:
                return True

        def look(given: dict[str, str]) -> list[Finding]:
            for name, value in given.items():
                monkeypatch.setenv(name, value)
            return list(network.proxies(case(given, server_port=str(port))))

        found = look({name: value.replace("PORT", str(port)) for name, value in variables.items()})
        assert [one.id for one in found] == ([told] if told else [])
        assert any(map(fails, network.LOCAL)) is bool(told)
        if told == "proxy":
            look({"no_proxy": found[0].fields["no_proxy"]})
        for name in found[0].fields["variables"] if told == "proxy_unusable" else ():
            monkeypatch.delenv(name)
        assert not any(map(fails, network.LOCAL)), "what is advised helps"


class Site(Chat):
    """An OpenAI API below /v1 and /guarded/v1, pages below /page, and nothing else."""

    def do_GET(self) -> None:
        if "/page" in self.path:
            self._send(200, "<html>", {"Content-Type": "text/html"})
        elif self.path in ("/v1/models", "/guarded/v1/models"):
            super().do_GET()
        else:
            self._send(404, {})


@pytest.mark.parametrize(
    ("path", "variables", "wanted", "advice"),
    [
        ("/v1", {}, ("external", "good"), ""),
        ("", {}, ("external_wrong", "bad"), "--base-url URL/v1"),
        ("/v1/chat/completions", {}, ("external_wrong", "bad"), "--base-url URL/v1"),
        ("/guarded/v1", {}, ("external_wrong", "bad"), "ACCEPTANCE_API_KEY"),
        ("/page/v1", {}, ("external_wrong", "bad"), "--base-url URL/v1"),
        ("/v1", {"http_proxy": DEAD}, ("external", "good"), ""),
    ],
)
def test_server_at_base_url_is_asked(
    monkeypatch: pytest.MonkeyPatch, path: str, variables: dict[str, str], wanted: tuple[str, str], advice: str
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with port_of(Site) as port:
        url = f"http://127.0.0.1:{port}"
        found = list(checks.examine(case(variables, base_url=url + path, checkpoint="/none")))
    assert wanted in ids(found)
    assert {one.id for one in found}.isdisjoint({"checkpoint_wrong", "gpu_wrong", "no_lmdeploy", "unexamined"})
    assert advice.replace("URL", url) in " ".join(str(one.fields.get("advice")) for one in found)


def test_model_that_a_server_at_base_url_does_not_list_is_told() -> None:
    with port_of(Site) as port:
        found = server.external(case(base_url=f"http://127.0.0.1:{port}/v1", served_model_name="another"))
        assert ids(found) == [("external", "good"), ("external_model", "bad")]


@pytest.mark.parametrize(("installed", "told"), [({}, ["no_openai"]), ({"openai": "3.54.0"}, [])])
def test_nothing_to_ask_a_server_with_is_told(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], told: list[str]
) -> None:
    monkeypatch.setattr(cases.environment, "versions", lambda _: installed)
    found = list(checks.examine(case(base_url="http://127.0.0.1:9/v1")))
    assert [one.id for one in found if one.id == "no_openai"] == told


def test_lmdeploy_of_another_environment_is_told(tmp_path: Path) -> None:
    other = tmp_path / "conda" / "bin"
    (tmp_path / "conda/lib/python3.10/site-packages/lmdeploy-0.9.0.dist-info").mkdir(parents=True)
    other.mkdir()
    script = other / "lmdeploy"
    script.write_text(f"#!{other}/python3.10\n")
    script.chmod(0o755)
    (found,) = packages.program(case({"PATH": str(other)}))
    assert (found.id, found.grade, found.fields["theirs"]) == ("another_lmdeploy", "bad", "0.9.0")
    assert found.fields["python"] == str(other / "python3.10")
    script.write_text(f"#!{sys.executable}\n")
    assert list(packages.program(case({"PATH": str(other)}))) == []


def test_what_a_check_trips_over_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def trips(error: Exception) -> Any:
        def check(_: Case) -> Iterator[Finding]:
            yield good("pictures")
            raise error

        return check

    made = (trips(PermissionError("no")), trips(GpuError("no_gpu")), lambda _: iter([good("pictures")]))
    monkeypatch.setattr(checks, "checks_of", lambda _: made)
    assert [one.id for one in checks.examine(case())] == ["pictures", "unexamined", "pictures", "refused", "pictures"]


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


def test_what_is_worth_knowing_of_a_whole_checkpoint_is_told(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "model.safetensors.partial").touch()
    found = list(model.checkpoint(case(checkpoint=str(folder))))
    assert "left of a download" in str(next(one.fields["what"] for one in found if one.id == "checkpoint_note"))
    assert [one.fields["looked"] for one in found if one.id == "checkpoint"] == [1.0]
