"""A real model is made of pieces: whole or not at all, of the right pieces, and without fetching one twice."""

import hashlib
import json
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize

from fixtures.model.checkpoint import whole
from fixtures.model.weight_files import weight_files
from tools.real_model import __main__ as program
from tools.real_model import hugging_face
from tools.real_model.hugging_face import bfloat16
from tools.real_model.pieces import Model, Piece, RealModelError, models

NAME: Final = "Qwen2.5-Tiny"
HIDDEN, INNER, VOCABULARY = 64, 128, 8
KINDS: Final = (TokenType.NORMAL,) * 4 + (TokenType.CONTROL,) * 2 + (TokenType.USER_DEFINED, TokenType.UNUSED)
TOKENS: Final = ("a", "b", "c", "ab", "<|endoftext|>", "<|im_end|>", "<tool_call>", "[PAD7]")
SHAPES: Final = {
    "token_embd.weight": (VOCABULARY, HIDDEN),
    "output.weight": (VOCABULARY, HIDDEN),
    "output_norm.weight": (HIDDEN,),
    "blk.0.attn_norm.weight": (HIDDEN,),
    "blk.0.ffn_norm.weight": (HIDDEN,),
    "blk.0.attn_q.weight": (HIDDEN, HIDDEN),
    "blk.0.attn_q.bias": (HIDDEN,),
    "blk.0.attn_k.weight": (HIDDEN // 2, HIDDEN),
    "blk.0.attn_k.bias": (HIDDEN // 2,),
    "blk.0.attn_v.weight": (HIDDEN // 2, HIDDEN),
    "blk.0.attn_v.bias": (HIDDEN // 2,),
    "blk.0.attn_output.weight": (HIDDEN, HIDDEN),
    "blk.0.ffn_gate.weight": (INNER, HIDDEN),
    "blk.0.ffn_up.weight": (INNER, HIDDEN),
    "blk.0.ffn_down.weight": (HIDDEN, INNER),
}


def weight(name: str) -> np.ndarray:
    """Values that 8 bits a block hold exactly, and that tell rows and tensors apart."""
    shape = SHAPES[name]
    steps = np.arange(np.prod(shape)).reshape(shape) * (7 + 2 * list(SHAPES).index(name)) % 255 - 127
    steps.reshape(-1, 32)[:, 0] = 127  # the largest of a block sets its scale
    return steps.astype(np.float32)


def write_gguf(file: Path) -> None:
    writer = GGUFWriter(file, "qwen2")
    writer.add_block_count(1)
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types(KINDS)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(4)
    writer.add_pad_token_id(4)
    writer.add_eos_token_id(5)
    writer.add_chat_template("{% if tools %}{{ tools }}{% endif %}")
    for name in SHAPES:
        kind = GGMLQuantizationType.F32 if len(SHAPES[name]) == 1 else GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(weight(name), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_piece(index: Path, number: int, content: bytes) -> Piece:
    """A wheel as pip takes it."""
    piece = Piece(f"tiny-model-part{number}", "0.1.0", "")
    info = f"tiny_model_part{number}-0.1.0.dist-info"
    with zipfile.ZipFile(index / piece.wheel, "w") as wheel:
        wheel.writestr(f"tiny_model_part{number}/data/part{number:02}.bin", content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {piece.project}\nVersion: 0.1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return replace(piece, sha256=hashlib.sha256((index / piece.wheel).read_bytes()).hexdigest())


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip finds: a folder of wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def model(index: Path, tmp_path: Path) -> Model:
    gguf = tmp_path / "tiny.gguf"
    write_gguf(gguf)
    content = gguf.read_bytes()
    third = len(content) // 3
    parts = (content[:third], content[third : 2 * third], content[2 * third :])
    pieces = tuple(write_piece(index, number, part) for number, part in enumerate(parts, start=1))
    return Model(
        name=NAME,
        source="https://example.invalid/tiny",
        licence="Apache-2.0",
        wheel_bytes=sum(file.stat().st_size for file in index.iterdir()),
        gguf_bytes=len(content),
        gguf_sha256=hashlib.sha256(content).hexdigest(),
        folder_bytes=200_000,
        pieces=pieces,
    )


@pytest.fixture
def aside(tmp_path: Path) -> Path:
    """Where the pieces lie until the model is whole."""
    folder = tmp_path / "models" / f"{NAME}.pieces"
    folder.mkdir(parents=True)
    return folder


def stop(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_model_is_whole_with_its_own_weights_and_nothing_lies_beside_it(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hugging_face, "SHARD_BYTES", 40_000)
    monkeypatch.setattr(hugging_face, "BLOCK_ELEMENTS", 3 * HIDDEN)  # rows that do not divide the tensor
    program.make(model, tmp_path / "models")
    assert [file.name for file in (tmp_path / "models").iterdir()] == [NAME]
    folder = tmp_path / "models" / NAME
    content = whole(folder)
    assert len(content.weights) > 1
    for name, place in weight_files(folder).places().items():
        (source,) = (one for one in SHAPES if hugging_face.tensor_name(one) == name)
        assert (place.tensor.dtype, place.tensor.shape) == ("BF16", SHAPES[source])
        with place.file.open("rb") as stream:
            stream.seek(place.tensor.start)
            bits = np.frombuffer(stream.read(place.tensor.bytes), np.uint16).astype(np.uint32) << 16
        assert np.array_equal(bits.view(np.float32).reshape(SHAPES[source]), weight(source)), name
    assert len(content.tensors) == len(SHAPES)
    assert content.config["tie_word_embeddings"] is False
    assert content.config["rms_norm_eps"] == 1e-6


def test_tokenizer_ends_where_the_model_ends_and_spells_a_tool_call(model: Model, tmp_path: Path) -> None:
    program.make(model, tmp_path)
    read = {file.name: json.loads(file.read_text()) for file in (tmp_path / NAME).glob("*.json")}
    assert (read["config.json"]["eos_token_id"], read["tokenizer_config.json"]["eos_token"]) == (5, "<|im_end|>")
    assert read["tokenizer_config.json"]["pad_token"] == "<|endoftext|>"
    assert "tools" in read["tokenizer_config.json"]["chat_template"]
    assert [token["content"] for token in read["tokenizer.json"]["added_tokens"]] == ["<|endoftext|>", "<|im_end|>"]
    assert read["tokenizer.json"]["model"]["vocab"] == {token: n for n, token in enumerate(TOKENS[:-1])}


def test_pieces_that_are_there_are_not_fetched_again_and_broken_ones_are(
    model: Model, index: Path, aside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for piece in model.pieces[:2]:
        (index / piece.wheel).rename(aside / piece.wheel)
    (aside / model.pieces[2].wheel).write_bytes(b"cut off")
    program.make(model, aside.parent)
    assert re.findall(r"piece . of 3: (.+)", capsys.readouterr().out) == ["there already"] * 2 + ["downloaded"]


def test_disk_that_fills_leaves_no_model_and_the_next_run_needs_no_index(
    model: Model, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "models", lambda: {"1.5b": model})
    with monkeypatch.context() as full:
        full.setattr(hugging_face, "tokenizer_files", stop)  # behind the weights
        assert program.main([str(tmp_path / "models")]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "models" / NAME).exists()
    shutil.rmtree(index)
    for _ in range(2):  # the second one finds it
        assert program.main([str(tmp_path / "models")]) == 0
    whole(tmp_path / "models" / NAME)


def test_another_piece_is_named_with_both_hashes_and_not_kept(model: Model, index: Path, aside: Path) -> None:
    other = write_piece(index, 2, b"something else")
    with pytest.raises(RealModelError) as caught:
        program.make(model, aside.parent)
    for told in ("tiny-model-part2==0.1.0", other.sha256, model.pieces[1].sha256, "what to do"):
        assert told in str(caught.value)
    assert [file.name for file in aside.iterdir()] == [model.pieces[0].wheel]
    assert not (aside.parent / NAME).exists()


def test_right_pieces_of_another_whole_are_refused(model: Model, aside: Path) -> None:
    swapped = replace(model, pieces=model.pieces[::-1])
    with pytest.raises(RealModelError, match=f"the joined pieces are not {NAME}.*not {model.gguf_sha256}"):
        program.make(swapped, aside.parent)
    assert {file.suffix for file in aside.iterdir()} == {".whl"}


def test_piece_that_pip_does_not_find_is_named_with_its_words(model: Model, index: Path, tmp_path: Path) -> None:
    (index / model.pieces[1].wheel).unlink()
    with pytest.raises(RealModelError, match=r"(?s)cannot download tiny-model-part2==0.1.0.*No matching"):
        program.make(model, tmp_path)


@pytest.mark.parametrize("lying", [0, 50_000], ids=["nothing there", "some there"])
def test_short_disk_is_refused_before_a_download(
    model: Model, aside: Path, monkeypatch: pytest.MonkeyPatch, lying: int
) -> None:
    (aside / "model.partial").write_bytes(bytes(lying))
    needed = model.gguf_bytes + model.folder_bytes - lying
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    with pytest.raises(RealModelError, match="GiB are free"):
        program.make(model, aside.parent)
    assert [file.name for file in aside.iterdir()] == ["model.partial"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
    program.make(model, aside.parent)


def test_weights_are_rounded_to_the_nearest_and_to_even_between_two() -> None:
    step = 2.0**-7  # of bf16 from 1 to 2
    values = np.array([1 + step / 2, 1 + 3 * step / 2, 1 + 0.51 * step, -1 - 0.49 * step], np.float32)
    rounded = (bfloat16(values).astype(np.uint32) << 16).view(np.float32)
    assert rounded.tolist() == [1, 1 + 2 * step, 1 + step, -1]


def test_no_hash_is_pinned_twice_or_cut_short() -> None:
    pinned = [one for model in models().values() for one in (model.gguf_sha256, *(p.sha256 for p in model.pieces))]
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in pinned)
    assert len(set(pinned)) == len(pinned) == 30
