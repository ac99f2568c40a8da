"""What an api_server's command line makes of its engine, up to where weights would be loaded, by the version's code.

python engine_settings.py < LINES.json; each line is answered by a JSON object: `engine`, `model_format`, `kv_bits` and
`reserved` bytes per word of the vocabulary (of the PyTorch engine), or `refusal`.
"""

import importlib
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import lmdeploy
import torch
from lmdeploy import archs
from lmdeploy.cli.cli import CLI
from lmdeploy.cli.serve import SubCliServe
from lmdeploy.serve.openai import api_server

ENGINE = Path(lmdeploy.__file__).parent / "pytorch"
QUANTIZERS = ("lmdeploy.pytorch.config", "lmdeploy.pytorch.models.patch")
"""Where the PyTorch engine heeds `model_format`, from 0.12 on and from 0.9 on."""

VOCABULARY = 1000


def refuse_format(model_format: str) -> None:
    """Raise what the engine raises for weights of this format, whose config.json tells it too."""
    declared = {"quantization_config": {"quant_method": "awq"}} if model_format == "awq" else {}
    for module in QUANTIZERS:
        try:
            quantize = importlib.import_module(module)._patch_quantization_config
        except AttributeError:
            continue
        quantize(SimpleNamespace(**declared), model_format)
        return
    raise LookupError("the PyTorch engine's model_format is heeded somewhere else")


def reserved(config: object) -> float:
    """Bytes that the engine leaves for each word of the vocabulary: the one formula in its code."""
    names = {"max_prefill_token_num": config.max_prefill_token_num, "max_batches": config.max_batch_size}
    names |= dict.fromkeys(("vocab_size", "vocal_size"), VOCABULARY)
    sources = (file.read_text(encoding="utf-8") for file in sorted(ENGINE.glob("engine/**/*.py")))
    (formula,) = (found for source in sources for found in re.findall(r"runtime_cache_size = (int\(.+\))", source))
    return eval(formula, {"int": int, **names}) / VOCABULARY  # noqa: S307 - lmdeploy's own code


def answer(line: list[str]) -> dict[str, object]:
    """Run the line as far as its server's start, and tell what that was given."""
    given = {}
    api_server.serve = lambda *_, **keywords: given.update(keywords)
    try:
        parsed = CLI.parser.parse_args(line)
        parsed.run(parsed)
        config = given["backend_config"]
        found = {
            "engine": given["backend"],
            "model_format": getattr(config, "model_format", None),
            "kv_bits": int(getattr(config, "quant_policy", 0)),
        }
        if given["backend"] == "pytorch":
            found["reserved"] = reserved(config)
            if found["model_format"]:
                refuse_format(found["model_format"])
    except (RuntimeError, AssertionError, ValueError) as error:
        return {"refusal": f"{type(error).__name__}: {error}"}
    return found


torch.cuda.get_device_name = lambda *_: "NVIDIA H100 80GB HBM3"  # it decides the largest batch
archs.autoget_backend = lambda *_, **__: "turbomind"
CLI.add_parsers()
SubCliServe.add_parsers()
of_awq = any(re.search(r"^\s*(from|import) awq\b", file.read_text("utf-8"), re.M) for file in ENGINE.rglob("*.py"))
answers = {"answers": [answer(line) for line in json.load(sys.stdin)], "imports_autoawq": of_awq}
sys.stdout.write("ANSWERS " + json.dumps(answers))
