"""Ways in which an artefact goes wrong, each done to a copy of an honest one, and what must be said about it.

The entries are data: a name, what is done to the files, and the place and the words that a finding must have.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.model.artefact.architecture import W1, W3, WO, WQKV
from fixtures.model.artefact.findings import Finding
from fixtures.model.artefact.inventory import PARTS
from fixtures.model.artefact.packing import IN_ORDER, unpack_columns
from fixtures.model.artefact.tensors import as_float, rounded
from tools.artefact.quantizer import pack_columns
from tools.artefact.stored import WEIGHTS, Stored, read_all, write_all

LAYER: Final = f"model.layers.1.{WQKV}"
OTHER: Final = f"model.layers.0.{WQKV}"
NORM: Final = "model.layers.1.attention_norm"


@dataclass(frozen=True)
class Corruption:
    """A change to the tensors, the config or the folder, and the finding that it must lead to.

    :param place: empty for a folder's own name.
    :param finding: the id of its text, without `artefact.` or `error.`.
    :param fields: some of the finding's values.
    """

    name: str
    place: str
    finding: str
    tensors: Callable[[Stored, Stored], None] | None = None
    folder: Callable[[Path], None] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def caught_by(self, findings: Iterable[Finding]) -> bool:
        """Tell if one of the findings is the expected one."""
        return any(self._is(found) for found in findings)

    def _is(self, found: Finding) -> bool:
        what = found.what.fields["reason"] if found.what.id == "artefact.unreadable" else found.what
        return (
            found.place == (self.place or found.place)
            and what.id in (f"artefact.{self.finding}", f"error.{self.finding}.what")
            and what.fields.items() >= self.fields.items()
        )


def apply(corruption: Corruption, source: Path, honest: Path, target: Path) -> Path:
    """A damaged copy of the honest artefact in `target`, one file of weights in it; returns `target`."""
    shutil.copytree(honest, target)
    tensors = read_all(honest)
    if corruption.tensors is not None:
        corruption.tensors(tensors, read_all(source))
    write_all(target / WEIGHTS, tensors)
    if corruption.folder is not None:
        corruption.folder(target)
    return target


def _set_scale(value: float) -> Callable[[Stored, Stored], None]:
    def change(tensors: Stored, _: Stored) -> None:
        dtype, scales = tensors[f"{LAYER}.scales"]
        scales[1, 5] = rounded(np.array([value], np.float32), dtype)[0]

    return change


def _scale_by(name: str, factor: float, index: Any) -> Callable[[Stored, Stored], None]:
    def change(tensors: Stored, _: Stored) -> None:
        dtype, values = tensors[name]
        changed = as_float(values, dtype)
        changed[index] *= factor
        tensors[name] = (dtype, rounded(changed, dtype))

    return change


def _flip(name: str, bit: int) -> Callable[[Stored, Stored], None]:
    def change(tensors: Stored, _: Stored) -> None:
        flat = tensors[name][1].reshape(-1)
        bits = flat.view(f"u{flat.itemsize}")
        bits[100] ^= bits.dtype.type(1 << bit)

    return change


def _swap(one: str, two: str) -> Callable[[Stored, Stored], None]:
    def change(tensors: Stored, _: Stored) -> None:
        for part in PARTS:
            tensors[f"{one}.{part}"], tensors[f"{two}.{part}"] = tensors[f"{two}.{part}"], tensors[f"{one}.{part}"]

    return change


def _swap_decoders(tensors: Stored, _: Stored) -> None:
    for name in [name for name in tensors if name.startswith("model.layers.0.")]:
        other = name.replace("layers.0.", "layers.1.")
        tensors[name], tensors[other] = tensors[other], tensors[name]


def _groups_of_64(tensors: Stored, _: Stored) -> None:
    for part in ("qzeros", "scales"):
        dtype, values = tensors[f"{LAYER}.{part}"]
        tensors[f"{LAYER}.{part}"] = (dtype, np.repeat(values, 2, axis=0))


def _repack(tensors: Stored, _: Stored) -> None:
    for part in ("qweight", "qzeros"):
        dtype, words = tensors[f"{LAYER}.{part}"]
        tensors[f"{LAYER}.{part}"] = (dtype, pack_columns(unpack_columns(words), IN_ORDER))


def _zeros_plus_one(tensors: Stored, _: Stored) -> None:
    dtype, words = tensors[f"{LAYER}.qzeros"]
    tensors[f"{LAYER}.qzeros"] = (dtype, pack_columns(np.minimum(unpack_columns(words) + 1, 15).astype(np.uint8)))


def _norm_not_smoothed(tensors: Stored, source: Stored) -> None:
    tensors[f"{NORM}.weight"] = (tensors[f"{NORM}.weight"][0], _as_stored(tensors, source, f"{NORM}.weight"))


def _as_stored(tensors: Stored, source: Stored, name: str) -> Any:
    dtype, values = source[name]
    return rounded(as_float(values, dtype), tensors["model.norm.weight"][0])


def _unquantized(tensors: Stored, source: Stored) -> None:
    for part in PARTS:
        del tensors[f"{LAYER}.{part}"]
    tensors[f"{LAYER}.weight"] = (tensors["model.norm.weight"][0], _as_stored(tensors, source, f"{LAYER}.weight"))


def _head_quantized(tensors: Stored, _: Stored) -> None:
    del tensors["output.weight"]
    for part in PARTS:
        tensors[f"output.{part}"] = tensors[f"{LAYER}.{part}"]


def _eight_bits(tensors: Stored, _: Stored) -> None:
    for part in ("qweight", "qzeros"):
        dtype, words = tensors[f"{LAYER}.{part}"]
        tensors[f"{LAYER}.{part}"] = (dtype, np.repeat(words, 2, axis=1))


def _transposed(tensors: Stored, _: Stored) -> None:
    dtype, words = tensors[f"{LAYER}.qweight"]
    tensors[f"{LAYER}.qweight"] = (dtype, pack_columns(np.ascontiguousarray(unpack_columns(words).T)))


def _inputs_reversed(tensors: Stored, _: Stored) -> None:
    dtype, words = tensors[f"{LAYER}.qweight"]
    tensors[f"{LAYER}.qweight"] = (dtype, np.ascontiguousarray(words[::-1]))


def _constant(tensors: Stored, _: Stored) -> None:
    dtype, words = tensors[f"{LAYER}.qweight"]
    tensors[f"{LAYER}.qweight"] = (dtype, np.full_like(words, 0x77777777))


def _drop(name: str) -> Callable[[Stored, Stored], None]:
    def change(tensors: Stored, _: Stored) -> None:
        del tensors[name]

    return change


def _add(name: str) -> Callable[[Stored, Stored], None]:
    def change(tensors: Stored, _: Stored) -> None:
        tensors[name] = tensors["model.norm.weight"]

    return change


def _float_scales(tensors: Stored, _: Stored) -> None:
    dtype, values = tensors[f"{LAYER}.scales"]
    tensors[f"{LAYER}.scales"] = ("F32", as_float(values, dtype))


def _config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        _edit(folder / "config.json", lambda config: config | changes)

    return change


def _declared(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        _edit(
            folder / "config.json",
            lambda config: config | {"quantization_config": config["quantization_config"] | changes},
        )

    return change


def _edit(file: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    content = change(json.loads(file.read_text(encoding="utf-8")))
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _truncated(folder: Path) -> None:
    file = folder / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1000])


def _lfs_pointer(folder: Path) -> None:
    (folder / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4023224\n")


def _two_shards(folder: Path, placed: Callable[[list[str]], Mapping[str, str]]) -> None:
    tensors = read_all(folder)
    names = sorted(tensors)
    half = len(names) // 2
    for number, part in ((1, names[:half]), (2, names[half:])):
        write_all(folder / f"model-{number:05}-of-00002.safetensors", {name: tensors[name] for name in part})
    (folder / WEIGHTS).unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed(names)}))


def _swapped_shards(folder: Path) -> None:
    def swapped(names: list[str]) -> Mapping[str, str]:
        half = len(names) // 2
        return {name: f"model-{2 if at < half else 1:05}-of-00002.safetensors" for at, name in enumerate(names)}

    _two_shards(folder, swapped)


def _lost_shard(folder: Path) -> None:
    _two_shards(folder, lambda names: dict.fromkeys(names, "model-00003-of-00002.safetensors"))


def _other_vocabulary(folder: Path) -> None:
    def swap(tokenizer: dict[str, Any]) -> Mapping[str, Any]:
        vocabulary = tokenizer["model"]["vocab"]
        one, two = sorted(vocabulary)[20:22]
        vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
        return tokenizer

    _edit(folder / "tokenizer.json", swap)


def _other_end_token(folder: Path) -> None:
    _edit(folder / "tokenizer_config.json", lambda config: config | {"eos_token": "<unk>"})


def _other_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")


CATALOGUE: Final = (
    Corruption("a scale set to zero", LAYER, "scale_zero", _set_scale(0), fields={"output": 5, "group": 1}),
    Corruption("a scale that is not a number", LAYER, "scale_not_finite", _set_scale(float("nan"))),
    Corruption("an infinite scale", LAYER, "scale_not_finite", _set_scale(float("inf"))),
    Corruption("a negative scale", LAYER, "scale_negative", _set_scale(-0.01)),
    Corruption("a scale 10 % too large", LAYER, "scale_off", _scale_by(f"{LAYER}.scales", 1.1, (1, 5))),
    Corruption(
        "all scales of a layer 10 % too large", LAYER, "smoothing_not_undone",
        _scale_by(f"{LAYER}.scales", 1.1, slice(None)),
    ),
    Corruption("the highest bit of a code flipped", LAYER, "code_off", _flip(f"{LAYER}.qweight", 31)),
    Corruption("the second bit of a code flipped", LAYER, "code_off", _flip(f"{LAYER}.qweight", 1)),
    Corruption("a bit of a zero point flipped", LAYER, "zero_point_off", _flip(f"{LAYER}.qzeros", 2)),
    Corruption(
        "a layer of two decoder layers swapped", LAYER, "another_layer", _swap(LAYER, OTHER), fields={"name": OTHER}
    ),
    Corruption(
        "two decoder layers swapped", f"model.layers.0.{WO}", "another_layer", _swap_decoders,
        fields={"name": f"model.layers.1.{WO}"},
    ),
    Corruption(
        "w1 and w3 swapped", f"model.layers.1.{W1}", "another_layer",
        _swap(f"model.layers.1.{W1}", f"model.layers.1.{W3}"), fields={"name": f"model.layers.1.{W3}"},
    ),
    Corruption("groups of 64 labelled 128", LAYER, "other_groups", _groups_of_64, fields={"size": 64, "declared": 128}),
    Corruption("codes packed in plain order", LAYER, "packed_in_order", _repack),
    Corruption("zero points one too large", LAYER, "zero_points_too_large", _zeros_plus_one),
    Corruption(
        "a norm not smoothed", LAYER, "smoothing_not_undone", _norm_not_smoothed, fields={"feeder": "attention_norm"}
    ),
    Corruption("a norm's channel doubled", LAYER, "smoothing_not_undone", _scale_by(f"{NORM}.weight", 2.0, 7)),
    Corruption("a norm's channel negated", NORM, "norm_no_multiple", _scale_by(f"{NORM}.weight", -1.0, 7)),
    Corruption("the last norm altered", "model.norm", "not_copied", _scale_by("model.norm.weight", 1.02, 3)),
    Corruption(
        "a bit of the embedding flipped", "model.tok_embeddings", "not_copied",
        _flip("model.tok_embeddings.weight", 3), fields={"count": 1},
    ),
    Corruption("a bit of the head flipped", "output", "not_copied", _flip("output.weight", 0), fields={"count": 1}),
    Corruption("the head quantized", "output", "quantized", _head_quantized),
    Corruption("a layer left unquantized", LAYER, "unquantized", _unquantized),
    Corruption("zero points missing", LAYER, "lacks_parts", _drop(f"{LAYER}.qzeros"), fields={"parts": ["qzeros"]}),
    Corruption("a norm missing", f"{NORM}.weight", "missing", _drop(f"{NORM}.weight")),
    Corruption(
        "a tensor too many", "model.layers.9.extra.weight", "of_no_layer", _add("model.layers.9.extra.weight")
    ),
    Corruption("8 bits labelled 4", LAYER, "other_bits", _eight_bits, fields={"bits": 8}),
    Corruption("a layer transposed", LAYER, "transposed", _transposed),
    Corruption("input channels in reverse", LAYER, "not_the_sources", _inputs_reversed),
    Corruption("a constant layer", LAYER, "constant", _constant),
    Corruption("scales in float32", f"{LAYER}.scales", "dtype", _float_scales, fields={"found": "F32"}),
    Corruption("a shard cut short", WEIGHTS, "file_truncated", folder=_truncated),
    Corruption("a Git-LFS pointer", WEIGHTS, "lfs_pointer", folder=_lfs_pointer),
    Corruption("shards swapped in the index", "", "tensors_in_another_shard", folder=_swapped_shards),
    Corruption("a shard missing", "", "shards_missing", folder=_lost_shard),
    Corruption(
        "another model's rope_theta", "config.json", "says_otherwise",
        folder=_config(rope_theta=10000), fields={"key": "rope_theta"},
    ),
    Corruption(
        "no quantization declared", "config.json", "declares_nothing", folder=_config(quantization_config=None)
    ),
    Corruption(
        "8 bits declared", "config.json", "declares_otherwise", folder=_declared(bits=8), fields={"key": "bits"}
    ),
    Corruption(
        "another vocabulary", "tokenizer.json", "other_parts",
        folder=_other_vocabulary, fields={"parts": ["vocab"]},
    ),
    Corruption(
        "another end token", "tokenizer_config.json", "says_otherwise",
        folder=_other_end_token, fields={"key": "eos_token"},
    ),
    Corruption("another chat template", "chat_template", "foreign_template", folder=_other_template),
)  # fmt: skip
"""In the order of the artefact's checks, more or less: numbers, structure, files, declaration, tokenizer."""
