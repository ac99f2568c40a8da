"""Ways in which an artefact goes wrong, each done to a copy of an honest one, and what must be said about it.

The entries are data: a name, what is done to the files, and the place and the words that a finding must have.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.model.artefact.findings import Finding
from fixtures.model.artefact.inventory import PARTS
from fixtures.model.artefact.packing import IN_ORDER, unpack_columns
from fixtures.model.artefact.tensors import Array, as_float, rounded
from tools.artefact.quantizer import pack_columns
from tools.artefact.stored import WEIGHTS, Stored, read_all, write_all

WQKV, WO, W1, W3 = "attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w3"
LAYER: Final = f"model.layers.1.{WQKV}"
OTHER: Final = f"model.layers.0.{WQKV}"
NORM: Final = "model.layers.1.attention_norm"
EXTRA: Final = "model.layers.9.extra.weight"
SHARDS: Final = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
LFS_POINTER: Final = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4023224\n"
TEMPLATE: Final = "{% for m in messages %}{{ m.content }}{% endfor %}"

Change = Callable[[Stored, Stored], None]
"""What is done to the artefact's tensors, with the source's at hand."""


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
    tensors: Change | None = None
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


def _stored(change: Callable[[Array], Array], *parts: str) -> Change:
    """Change parts of the layer as they are stored."""

    def changed(tensors: Stored, _: Stored) -> None:
        for part in parts:
            dtype, values = tensors[f"{LAYER}.{part}"]
            tensors[f"{LAYER}.{part}"] = (dtype, change(values))

    return changed


def _codes(change: Callable[[Array], Array], *parts: str) -> Change:
    """Change the codes that are packed in parts of the layer."""
    return _stored(lambda words: pack_columns(np.ascontiguousarray(change(unpack_columns(words)), np.uint8)), *parts)


def _numbers(name: str, index: Any, change: Callable[[Array], Any]) -> Change:
    """Change some of a tensor's numbers."""

    def changed(tensors: Stored, _: Stored) -> None:
        dtype, values = tensors[name]
        numbers = as_float(values, dtype)
        numbers[index] = change(numbers[index])
        tensors[name] = (dtype, rounded(numbers, dtype))

    return changed


def _scale(value: float) -> Change:
    return _numbers(f"{LAYER}.scales", (1, 5), lambda _: value)


def _flip(name: str, bit: int) -> Change:
    def changed(tensors: Stored, _: Stored) -> None:
        flat = tensors[name][1].reshape(-1)
        bits = flat.view(f"u{flat.itemsize}")
        bits[100] ^= bits.dtype.type(1 << bit)

    return changed


def _swap(one: str, two: str) -> Change:
    """Swap all tensors below two names."""

    def changed(tensors: Stored, _: Stored) -> None:
        for name in [name for name in tensors if name.startswith(f"{one}.")]:
            other = name.replace(one, two)
            tensors[name], tensors[other] = tensors[other], tensors[name]

    return changed


def _drop(name: str) -> Change:
    def changed(tensors: Stored, _: Stored) -> None:
        del tensors[name]

    return changed


def _as_stored(tensors: Stored, source: Stored, name: str) -> tuple[str, Array]:
    """A tensor of the source in the artefact's dtype."""
    dtype, values = source[name]
    kept = tensors["model.norm.weight"][0]
    return kept, rounded(as_float(values, dtype), kept)


def _norm_not_smoothed(tensors: Stored, source: Stored) -> None:
    tensors[f"{NORM}.weight"] = _as_stored(tensors, source, f"{NORM}.weight")


def _unquantized(tensors: Stored, source: Stored) -> None:
    for part in PARTS:
        del tensors[f"{LAYER}.{part}"]
    tensors[f"{LAYER}.weight"] = _as_stored(tensors, source, f"{LAYER}.weight")


def _head_quantized(tensors: Stored, _: Stored) -> None:
    del tensors["output.weight"]
    for part in PARTS:
        tensors[f"output.{part}"] = tensors[f"{LAYER}.{part}"]


def _extra(tensors: Stored, _: Stored) -> None:
    tensors[EXTRA] = tensors["model.norm.weight"]


def _float_scales(tensors: Stored, _: Stored) -> None:
    dtype, values = tensors[f"{LAYER}.scales"]
    tensors[f"{LAYER}.scales"] = ("F32", as_float(values, dtype))


def _edited(name: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Callable[[Path], None]:
    """Change the content of a JSON file."""

    def edit(folder: Path) -> None:
        content = change(json.loads((folder / name).read_text(encoding="utf-8")))
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    return edit


def _with(**changes: Any) -> Callable[[dict[str, Any]], Mapping[str, Any]]:
    return lambda config: config | changes


def _written(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def _eight_bits_declared(config: dict[str, Any]) -> Mapping[str, Any]:
    return config | {"quantization_config": config["quantization_config"] | {"bits": 8}}


def _tokens_swapped(tokenizer: dict[str, Any]) -> Mapping[str, Any]:
    vocabulary = tokenizer["model"]["vocab"]
    one, two = sorted(vocabulary)[20:22]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    return tokenizer


def _truncated(folder: Path) -> None:
    file = folder / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1000])


def in_shards(said: Mapping[str, str]) -> Callable[[Path], None]:
    """Cut the weights into two shards, in an index that says of each another file."""

    def cut(folder: Path) -> None:
        tensors = read_all(folder)
        shards = {name: SHARDS[2 * number // len(tensors)] for number, name in enumerate(sorted(tensors))}
        for shard in SHARDS:
            write_all(folder / shard, {name: tensors[name] for name in tensors if shards[name] == shard})
        (folder / WEIGHTS).unlink()
        index = {"weight_map": {name: said[shard] for name, shard in shards.items()}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return cut


CATALOGUE: Final = (
    Corruption("a scale set to zero", LAYER, "scale_zero", _scale(0), fields={"output": 5, "group": 1}),
    Corruption("a scale that is not a number", LAYER, "scale_not_finite", _scale(float("nan"))),
    Corruption("an infinite scale", LAYER, "scale_not_finite", _scale(float("inf"))),
    Corruption("a negative scale", LAYER, "scale_negative", _scale(-0.01)),
    Corruption("a scale 10 % too large", LAYER, "scale_off", _numbers(f"{LAYER}.scales", (1, 5), lambda x: 1.1 * x)),
    Corruption(
        "all scales of a layer 10 % too large", LAYER, "smoothing_not_undone",
        _numbers(f"{LAYER}.scales", slice(None), lambda x: 1.1 * x),
    ),
    Corruption("the highest bit of a code flipped", LAYER, "code_off", _flip(f"{LAYER}.qweight", 31)),
    Corruption("the second bit of a code flipped", LAYER, "code_off", _flip(f"{LAYER}.qweight", 1)),
    Corruption("a bit of a zero point flipped", LAYER, "zero_point_off", _flip(f"{LAYER}.qzeros", 2)),
    Corruption(
        "a layer of two decoder layers swapped", LAYER, "another_layer", _swap(LAYER, OTHER), fields={"name": OTHER}
    ),
    Corruption(
        "two decoder layers swapped", f"model.layers.0.{WO}", "another_layer",
        _swap("model.layers.0", "model.layers.1"),
        fields={"name": f"model.layers.1.{WO}"},
    ),
    Corruption(
        "w1 and w3 swapped", f"model.layers.1.{W1}", "another_layer",
        _swap(f"model.layers.1.{W1}", f"model.layers.1.{W3}"), fields={"name": f"model.layers.1.{W3}"},
    ),
    Corruption(
        "groups of 64 labelled 128", LAYER, "other_groups",
        _stored(lambda x: np.repeat(x, 2, axis=0), "qzeros", "scales"), fields={"size": 64, "declared": 128},
    ),
    Corruption(
        "codes packed in plain order", LAYER, "packed_in_order",
        _stored(lambda x: pack_columns(unpack_columns(x), IN_ORDER), "qweight", "qzeros"),
    ),
    Corruption(
        "zero points one too large", LAYER, "zero_points_too_large",
        _codes(lambda x: np.minimum(x + 1, 15), "qzeros"),
    ),
    Corruption(
        "a norm not smoothed", LAYER, "smoothing_not_undone", _norm_not_smoothed, fields={"feeder": "attention_norm"}
    ),
    Corruption(
        "a norm's channel doubled", LAYER, "smoothing_not_undone",
        _numbers(f"{NORM}.weight", 7, lambda x: 2 * x),
    ),
    Corruption("a norm's channel negated", NORM, "norm_no_multiple", _numbers(f"{NORM}.weight", 7, lambda x: -x)),
    Corruption(
        "the last norm altered", "model.norm", "not_copied",
        _numbers("model.norm.weight", 3, lambda x: 1.02 * x),
    ),
    Corruption(
        "a bit of the embedding flipped", "model.tok_embeddings", "not_copied",
        _flip("model.tok_embeddings.weight", 3), fields={"count": 1},
    ),
    Corruption("a bit of the head flipped", "output", "not_copied", _flip("output.weight", 0), fields={"count": 1}),
    Corruption("the head quantized", "output", "quantized", _head_quantized),
    Corruption("a layer left unquantized", LAYER, "unquantized", _unquantized),
    Corruption("zero points missing", LAYER, "lacks_parts", _drop(f"{LAYER}.qzeros"), fields={"parts": ["qzeros"]}),
    Corruption("a norm missing", f"{NORM}.weight", "missing", _drop(f"{NORM}.weight")),
    Corruption("a tensor too many", EXTRA, "of_no_layer", _extra),
    Corruption(
        "8 bits labelled 4", LAYER, "other_bits",
        _stored(lambda x: np.repeat(x, 2, axis=1), "qweight", "qzeros"), fields={"bits": 8},
    ),
    Corruption("a layer transposed", LAYER, "transposed", _codes(np.transpose, "qweight")),
    Corruption("input channels in reverse", LAYER, "not_the_sources", _stored(np.flipud, "qweight")),
    Corruption("a constant layer", LAYER, "constant", _stored(lambda x: np.full_like(x, 0x77777777), "qweight")),
    Corruption("scales in float32", f"{LAYER}.scales", "dtype", _float_scales, fields={"found": "F32"}),
    Corruption("a shard cut short", WEIGHTS, "file_truncated", folder=_truncated),
    Corruption("a Git-LFS pointer", WEIGHTS, "lfs_pointer", folder=_written(WEIGHTS, LFS_POINTER)),
    Corruption(
        "shards swapped in the index", "", "tensors_in_another_shard",
        folder=in_shards(dict(zip(SHARDS, SHARDS[::-1], strict=True))),
    ),
    Corruption(
        "a shard missing", "", "shards_missing",
        folder=in_shards(dict.fromkeys(SHARDS, "model-00003-of-00002.safetensors")),
    ),
    Corruption(
        "another model's rope_theta", "config.json", "says_otherwise",
        folder=_edited("config.json", _with(rope_theta=10000)), fields={"key": "rope_theta"},
    ),
    Corruption(
        "no quantization declared", "config.json", "declares_nothing",
        folder=_edited("config.json", _with(quantization_config=None))
    ),
    Corruption(
        "8 bits declared", "config.json", "declares_otherwise",
        folder=_edited("config.json", _eight_bits_declared), fields={"key": "bits"}
    ),
    Corruption(
        "another vocabulary", "tokenizer.json", "other_parts",
        folder=_edited("tokenizer.json", _tokens_swapped), fields={"parts": ["vocab"]},
    ),
    Corruption(
        "another end token", "tokenizer_config.json", "says_otherwise",
        folder=_edited("tokenizer_config.json", _with(eos_token="<unk>")), fields={"key": "eos_token"},
    ),
    Corruption(
        "another chat template", "chat_template", "foreign_template",
        folder=_written("chat_template.jinja", TEMPLATE),
    ),
)  # fmt: skip
"""In the order of the artefact's checks, more or less: numbers, structure, files, declaration, tokenizer."""
