"""Whole means whole: what is wrong with a checkpoint is named, and nothing is said of one that is healthy."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.errors import AcceptanceError, CheckpointError
from fixtures.lmdeploy.families import Architecture, families
from fixtures.model.artefact.tensors import TensorFiles
from fixtures.model.checkpoint import whole
from fixtures.model.whole import place
from fixtures.standin.checkpoint import ARCHITECTURE, STANDIN
from fixtures.texts import Texts
from tests.unit.tiny_checkpoint import sentencepiece, write_checkpoint, write_json
from tools.artefact.stored import WEIGHTS, read_all, write_all

Step = Callable[[Path], object]
PAGE = b"\n<!DOCTYPE html><html><title>Login</title></html>"
TINY_NAN, TINY_ZEROS = np.full(4, np.nan, np.float32), np.zeros(64, np.float32)
FAST = "tokenization_x_fast.FastTokenizerFast"


@pytest.fixture(autouse=True)
def no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own caches and packages decide nothing."""
    for name in ("HF_HOME", "MODELSCOPE_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr("fixtures.model.checkpoint._is_missing", lambda _: False)


def changed(name: str, **values: Any) -> Step:
    """Fields of a JSON file are otherwise."""

    def step(folder: Path) -> None:
        write_json(folder / name, {**json.loads((folder / name).read_text()), **values})

    return step


def config(**values: Any) -> Step:
    return changed("config.json", **values)


def written(name: str, content: bytes | str = b"") -> Step:
    def step(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return step


def removed(pattern: str) -> Step:
    return lambda folder: [file.unlink() for file in folder.glob(pattern)]


def cut(name: str, to: float = 0.5) -> Step:
    return lambda folder: os.truncate(folder / name, int(to * (folder / name).stat().st_size))


def tensors(change: Callable[[dict[str, Any]], object]) -> Step:
    """The weights are otherwise."""

    def step(folder: Path) -> None:
        stored = read_all(folder)
        removed("*.safetensors*")(folder)
        change(stored)
        write_all(folder / WEIGHTS, stored)

    return step


def renamed(name: str, other: str) -> Step:
    return lambda folder: (folder / name).rename(folder / other)


def published(folder: Path) -> None:
    """The layout of InternLM2.5 on the hub: sentencepiece and code for the tokenizer, and no tokenizer.json."""
    removed("tokenizer.json")(folder)
    written("tokenizer.model", sentencepiece("<unk>", "<s>", "</s>", "一"))(folder)
    named = ["tokenization_x.Tokenizer", FAST]
    added = {"3": {"content": "<|im_start|>", "special": True}}
    kind = {"tokenizer_class": "InternLM2Tokenizer", "auto_map": {"AutoTokenizer": named}}
    changed("tokenizer_config.json", added_tokens_decoder=added, **kind)(folder)
    written("tokenization_x.py", "import sentencepiece\nclass Tokenizer: ...\n")(folder)
    written("tokenization_x_fast.py", "from .tokenization_x import Tokenizer\n")(folder)


def modelscope(folder: Path) -> None:
    for name in (".msc", ".mv", "README.md", "configuration.json", "LICENSE", "assets/logo.png"):
        written(name, b"" if name.startswith(".") else b"\0binary \xff")(folder)
    written("picture.png", b"version https://git-lfs.github.com/spec/v1\n")(folder)


def sharded_bin(folder: Path) -> None:
    """A layout without headers."""
    removed("*.safetensors*")(folder)
    written("pytorch_model-00001-of-00001.bin", b"\x80\x02pickle")(folder)
    placed = {"weight_map": {"any": "pytorch_model-00001-of-00001.bin"}}
    write_json(folder / "pytorch_model.bin.index.json", placed)


def hub_snapshot(folder: Path) -> None:
    """Every file a relative link into the blobs."""
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(blobs / str(number))
        file.symlink_to(f"../blobs/{number}")


HEALTHY: dict[str, tuple[str, dict[str, Any], list[Step]]] = {
    "internlm2": (ARCHITECTURE, {"bias": False}, []),
    "internlm2.5 as published": (ARCHITECTURE, {"bias": False}, [published, removed("generation_config.json")]),
    "internlm2 with biases": (ARCHITECTURE, {"bias": True}, []),
    "internlm3": ("InternLM3ForCausalLM", {"qkv_bias": False, "bias": False}, []),
    "qwen2, tied, with vocab.json": (
        "Qwen2ForCausalLM",
        {"tie_word_embeddings": True},
        [written("vocab.json", '{"<|im_start|>": 5}'), written("merges.txt", "a b"), removed("tokenizer.json")],
    ),
    "qwen3": ("Qwen3ForCausalLM", {"attention_bias": False}, []),
    "llama 3": (
        "LlamaForCausalLM",
        {"attention_bias": False, "mlp_bias": False},
        [
            written("original/consolidated.00.pth", b"zip"),
            written("original/tokenizer.model", b"IQ== 0\n"),
            written("tokenizer.model", b"IQ== 0\nIg== 1\n"),
            changed("tokenizer_config.json", added_tokens_decoder={"99": {"content": "<|reserved_99|>"}}),
        ],
    ),
    "modelscope": (ARCHITECTURE, {}, [modelscope]),
    "hub snapshot": (ARCHITECTURE, {}, [hub_snapshot]),
    "bin": ("LlamaForCausalLM", {}, [sharded_bin]),
    "one file": (ARCHITECTURE, {}, [tensors(lambda _: None)]),
    "CRLF": (ARCHITECTURE, {}, [written("generation_config.json", '{\r\n  "do_sample": true,\r\n "x": NaN}\r\n')]),
    "buffers": ("LlamaForCausalLM", {}, [tensors(lambda all_: all_.update(
        {"model.layers.0.self_attn.rotary_emb.inv_freq": ("F32", TINY_NAN)}))]),
    "copies beside": (ARCHITECTURE, {}, [written("config (1).json", "{"), written("model.gguf"), written("a.zip")]),
    "code that is not used": (ARCHITECTURE, {}, [written("finetune.py", "print 'python 2'")]),
    "an empty auto_map of tokenizers": (
        "Qwen2ForCausalLM", {}, [changed("tokenizer_config.json", auto_map={"AutoTokenizer": [None, None]})]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_checkpoint_raises_nothing(name: str, tmp_path: Path) -> None:
    architecture, values, steps = HEALTHY[name]
    folder = write_checkpoint(tmp_path / "snapshots" / "model-chat", architecture=architecture, **values)
    for step in steps:
        step(folder)
    link = tmp_path / "link"
    link.symlink_to(folder)
    for given in (folder, link):
        content = whole(given)
        assert (content.notes, content.looked) == ((), 1.0)


@pytest.mark.parametrize("architecture", families())
def test_result_of_a_quantization_is_whole_and_no_source(architecture: str, tmp_path: Path) -> None:
    quantized = {"quantization_config": {"quant_method": "awq"}}
    folder = write_checkpoint(tmp_path / "model", architecture=architecture, **quantized)
    assert whole(folder, source=False).tensors
    with pytest.raises(CheckpointError, match=r"quantized already.*awq"):
        whole(folder)


MISSING_SHARD = "model-00002-of-00002.safetensors"
LAYER = "model.layers.1.feed_forward.w1"
BROKEN: dict[str, tuple[list[Step], str]] = {
    # The small files
    "config is a list": ([written("config.json", "[]")], "config.json holds a list"),
    "config is a page": ([written("config.json", PAGE)], "config.json is a web page"),
    "config of another model": ([config(architectures=["BertModel"])], "BertModel"),
    "three are broken": (
        [written("tokenizer.json", PAGE), written("vocab.json"), cut("tokenizer_config.json")],
        "(?s)tokenizer_config.json is not JSON.*tokenizer.json is a web page.*vocab.json is empty",
    ),
    "tokenizer.json of zeros": ([written("tokenizer.json", bytes(4096))], "begins with nothing but zeros"),
    "a message in place of a file": (
        [written("tokenizer.json", "Access to x is restricted.")], "begins with 'Access to x is restricted.'"
    ),
    "index is a page": ([written("model.safetensors.index.json", PAGE)], "index.json is a web page"),
    "byte order mark": (
        [written("config.json", b"\xef\xbb\xbf{}")], r"(?s)config.json begins with a UTF-8 byte order mark.*sed -i"
    ),
    "UTF-16": ([written("tokenizer_config.json", '{"a": 1}'.encode("utf-16"))], "config.json is not JSON.*utf-8"),
    "two pointers": (
        [written(name, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n") for name in (
            "model-00001-of-00002.safetensors", "tokenizer.json")],
        "Git-LFS pointers.*: tokenizer.json; model-00001",
    ),
    # The tokenizer
    "no tokenizer_config.json": ([removed("tokenizer_config.json")], "there is no tokenizer_config.json"),
    "tokenizer.model is a page": ([published, written("tokenizer.model", PAGE)], "tokenizer.model is a web page"),
    "tokenizer.model is empty": ([published, written("tokenizer.model")], "tokenizer.model is empty"),
    "tokenizer.model is cut": ([published, cut("tokenizer.model", 0.4)], "tokenizer.model is cut short"),
    "tokenizer.model is text": ([published, written("tokenizer.model", "Not found")], "is no sentencepiece model"),
    "a slow tokenizer without its file": (
        [published, renamed("tokenizer.model", "a"), written("tokenizer.json", "{}"),
         changed("tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_x.Tokenizer", None]})],
        "the tokenizer Tokenizer reads tokenizer.model, which is missing",
    ),
    "a class without code": (
        [changed("tokenizer_config.json", tokenizer_class="InternLM2Tokenizer")], "the tokenizer InternLM2Tokenizer"
    ),
    "a larger vocabulary": (
        [written("tokenizer.json", json.dumps({"model": {"vocab": {"a": 64}}}))], "up to 65, and the embedding has 64"
    ),
    "an end without a row": (
        [changed("tokenizer_config.json", added_tokens_decoder={"70": {"content": "</s>"}})], "go up to 71"
    ),
    # The code
    "no code": (
        [removed("*.py")], r"2 Python files .*: configuration_internlm2.py; modeling_internlm2.py, .* config.json"
    ),
    "an import is missing": (
        [removed("configuration*.py"), config(auto_map={"AutoConfig": "modeling_internlm2.C"})],
        "configuration_internlm2.py, which modeling_internlm2.py asks for",
    ),
    "code of the tokenizer": ([published, removed("tokenization_x.py")], r"tokenization_x.py, which tok.*config.json"),
    "code is a page": ([written("modeling_internlm2.py", PAGE)], "modeling_internlm2.py is a web page"),
    "code is cut": ([written("modeling_internlm2.py", "def f(")], "modeling_internlm2.py is not Python"),
    "code elsewhere": ([config(auto_map={"AutoConfig": "a/b--c.C"})], "the code of another repository"),
    "code named nowhere": ([config(auto_map=None)], "config.json has no auto_map"),
    # The tensors
    "more layers": ([config(num_hidden_layers=3)], "says 3 layers .* the weights hold 2"),
    "fewer layers": ([config(num_hidden_layers=1)], "says 1 layers .* the weights hold 2"),
    "another vocabulary": ([config(vocab_size=60)], r"2 tensors .*tok_embeddings.weight is \(64, 64\) .* \(60, 64\)"),
    "another MLP": ([config(intermediate_size=48)], r"6 tensors .*w1.weight is \(32, 64\) and should be \(48, 64\)"),
    "other heads": ([config(num_key_value_heads=4)], r"2 tensors .*wqkv"),
    "biases that are lacking": ([config(bias=True)], "lack 4 tensors .*wqkv.bias"),
    "biases too many": (
        [config(bias=False), tensors(lambda all_: all_.update({
            "model.layers.0.attention.wo.bias": ("F32", TINY_ZEROS)}))], "no biases, and the weights hold 1"
    ),
    "a head that is not tied": ([tensors(lambda all_: all_.pop("output.weight"))], "lack 1 tensors .*: output.weight"),
    "no index": ([removed("*.index.json")], "there are shards and no index"),
    "integers": (
        [tensors(lambda all_: all_.update({f"{LAYER}.weight": ("I32", all_[f"{LAYER}.weight"][1].astype("i4"))}))],
        f"quantized already: {LAYER}.weight has the dtype I32",
    ),
    "packed": ([tensors(lambda all_: all_.update({f"{LAYER}.qweight": ("F32", TINY_ZEROS)}))], "have .*qweight"),
    "GGUF alone": ([removed("*"), written("model-q4.gguf", b"GGUF")], "another format alone: model-q4.gguf"),
    "an archive": ([removed("*"), written("model.tar.gz.001")], "not unpacked: model.tar.gz.001"),
    "an ending that Windows hides": (
        [renamed("config.json", "config.json.txt")],
        "(?s)renamed: config.json.txt; .*no config.json.*`mv config.json.txt config.json`",
    ),
    "a second download": (
        [renamed(MISSING_SHARD, MISSING_SHARD.replace(".", " (1)."))],
        f"(?s)renamed: .*; 1 of 2 shards are missing: .*`mv 'model-00002-of-00002 .1..safetensors' {MISSING_SHARD}`",
    ),
    "an adapter": ([removed("*"), written("adapter_config.json", "{}")], "LoRA adapter"),
    "a cut zip": ([sharded_bin, written("pytorch_model-00001-of-00001.bin", b"PK\3\4..")], "bin is cut short"),
    # The download
    "aria2": ([written(f"{MISSING_SHARD}.aria2")], "aria2's .*.aria2 is there"),
    "incomplete": (
        [renamed(MISSING_SHARD, "x"), written(f".cache/huggingface/download/{MISSING_SHARD}.ab.incomplete")],
        "(?s)not finished, .cache/huggingface.*incomplete is left of it: 1 of 2 shards are missing.*same download",
    ),
    "modelscope's": ([renamed("config.json", "x"), written("._____temp/config.json")], r"not finished, ._____temp"),
    "a part in a browser": ([renamed("tokenizer.json", "tokenizer.json.crdownload")], "crdownload is left of it"),
    "links to nothing": (
        [lambda folder: [(folder / name).unlink() or (folder / name).symlink_to(f"../blobs/{name}") for name in (
            "config.json", MISSING_SHARD)]],
        f"2 of the files are symbolic links to nothing: config.json -> ../blobs/config.json; {MISSING_SHARD} -> ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_checkpoint_is_named_with_what_to_do(name: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    steps, words = BROKEN[name]
    for step in steps:
        step(folder)
    with pytest.raises(CheckpointError, match=words) as refused:
        whole(folder)
    for language in ("zh", "en"):
        assert Texts(language).tell(refused.value.advice)
    assert str(folder) in refused.value.where or refused.value.where == "config.json"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([written("model.safetensors.incomplete")], "model.safetensors.incomplete is left of a download"),
        ([written("tokenizer_config.json", "{}"), written("tokenizer.json", "{}")], "looks like a base model"),
        ([written("tokenizer.json", "{}")], r"does not know <\|im_start\|> of the chat template"),
    ],
)
def test_what_may_be_as_it_is_becomes_a_note(steps: list[Step], words: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    for step in steps:
        step(folder)
    (note,) = whole(folder).notes
    assert re.search(words, str(note))


def test_missing_template_is_noted_where_the_suite_has_none(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", architecture="LlamaForCausalLM")
    written("tokenizer_config.json", "{}")(folder)
    assert [note.id for note in whole(folder).notes] == ["whole.no_template"]
    written("chat_template.jinja", "<|im_start|>")(folder)
    assert whole(folder).notes == ()


PROPOSED: dict[str, tuple[str, str]] = {
    # Where a whole model is, and what was given
    "one level above": ("models/a-chat", "models"),
    "one level below": ("models/a-chat", "models/a-chat/original"),
    "a file of it": ("models/a-chat", "models/a-chat/config.json"),
    "the hub's cache": ("hub/models--internlm--a-chat/snapshots/0a1b", "hub"),
    "a model in the hub's cache": ("hub/models--internlm--a-chat/snapshots/0a1b", "hub/models--internlm--a-chat"),
    "modelscope's cache": ("modelscope/hub/models/Shanghai_AI_Laboratory/a-chat", "modelscope"),
    "a slip of the pen": ("models/internlm2_5-1_8b-chat", "models/internlm2_5-1.8b-chat"),
    "a hub id": ("HF_HOME/hub/models--internlm--a-chat/snapshots/0a1b", "internlm/a-chat"),
    "quotation marks": ("models/a-chat", "“models/a-chat”"),
    "a line end": ("models/a-chat", "models/a-chat\r\n"),
    "a folder on Windows": ("models/a-chat", "models\\a-chat"),
    "a folder on Windows, one too high": ("models/a-chat", "models\\"),
    "the address of a cached model": (
        "HF_HOME/hub/models--internlm--a-chat/snapshots/0a1b",
        "https:/huggingface.co/internlm/a-chat/tree/main",
    ),
    "a name that is cached": ("MODELSCOPE_CACHE/hub/models/Shanghai_AI_Laboratory/a-chat", "gone/or/a-chat"),
}


@pytest.mark.parametrize("name", PROPOSED)
def test_right_folder_is_proposed_as_it_can_be_typed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, given = PROPOSED[name]
    folder = write_checkpoint(tmp_path / "with blank" / right)
    monkeypatch.chdir(tmp_path / "with blank")
    monkeypatch.setenv("HF_HOME", str(Path("HF_HOME").absolute()))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(Path("MODELSCOPE_CACHE").absolute()))
    (folder / "original").mkdir()
    with pytest.raises(CheckpointError) as refused:
        whole(Path(given).absolute())
    assert f"--checkpoint='{folder}'" in str(refused.value)
    monkeypatch.setattr(place, "_best", lambda *_, **__: [])
    with pytest.raises(CheckpointError) as bare:
        whole(Path(given).absolute())
    assert refused.value.id == f"{bare.value.id}_near".replace("checkpoint_address", "hub_id")
    assert (bare.value.id == "hub_id") == (name == "a hub id")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("D:\\models\\chat", "/mnt/d/models/chat"),
        ("c:/models/chat", "/mnt/c/models/chat"),
        (r"\\wsl$\Ubuntu\root\models\chat", "/root/models/chat"),
        (r"\\wsl.localhost\Ubuntu\root\chat", "/root/chat"),
        ("file:///root/models/chat", "/root/models/chat"),
        ("/root/odd\\name/chat", "/root/odd\\name/chat"),
        ("models/chat", "models/chat"),
    ],
)
def test_path_of_another_system_is_read_as_it_is_here(given: str, meant: str) -> None:
    assert place._meant(given) == meant


def test_revision_main_of_several_is_proposed_first(tmp_path: Path) -> None:
    for number, revision in enumerate(("aa", "bb", "cc")):
        folder = write_checkpoint(tmp_path / "models--internlm--a" / "snapshots" / revision)
        os.utime(folder / "config.json", (1, number))
    removed("tokenizer.json")(folder)
    written("refs/main", "aa")(tmp_path / "models--internlm--a")
    with pytest.raises(CheckpointError) as refused:
        whole(tmp_path)
    assert [Path(one).name for one in refused.value.fields["folders"]][:1] == ["aa"]
    assert str(folder) not in refused.value.fields["folders"], "it lacks a file"


def test_link_above_that_leads_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to("/nowhere")
    with pytest.raises(CheckpointError, match=r"models -> /nowhere"):
        whole(tmp_path / "models" / "chat")


@pytest.mark.parametrize("names", [["config.json"], ["tokenizer.json", MISSING_SHARD], [""]])
def test_what_may_not_be_read_is_told_with_owner_mode_and_user(
    names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_checkpoint(tmp_path / "model")
    paths = [folder / name for name in names]

    def refusing(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *arguments: Any, **named: Any) -> Any:
            if path in paths:
                raise PermissionError(13, "Permission denied", str(path))
            return original(path, *arguments, **named)

        return call

    for function in ("open", "iterdir"):
        monkeypatch.setattr(Path, function, refusing(getattr(Path, function)))
    with pytest.raises(AcceptanceError) as refused:
        whole(folder)
    told = str(refused.value)
    owner = "root" if os.getuid() == 0 else f"uid {os.getuid()}"
    for word in (*map(str, paths), "Permission denied", f"of {owner}", "rw", f"this run is {owner}", "chmod -R a+rX"):
        assert word in told
    assert "work-dir" not in told


def test_disk_that_fails_is_no_question_of_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_checkpoint(tmp_path / "model")

    def failing(path: Path) -> bytes:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(CheckpointError, match=r"config.json cannot be read: Input/output error"):
        whole(folder)


def test_stand_in_is_whole_and_so_are_its_tensors() -> None:
    content = whole(STANDIN)
    assert (content.notes, content.looked) == ((), 1.0)
    assert set(content.tensors) == set(Architecture.of(content.config).weights()) == set(TensorFiles(STANDIN).places)
