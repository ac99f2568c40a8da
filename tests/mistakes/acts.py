"""How a mistake is made that takes more than arguments and variables: checkpoints as people have them, what else is
installed, another card, a server elsewhere.

An act prepares the stage, as in `tests/faults/acts.py`.
"""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pynvml

from fixtures.standin.checkpoint import STANDIN
from tests.faults.acts import (
    POINTER,
    SECOND,
    Step,
    beginning,
    checkpoint,
    edited,
    environment,
    gpu,
    in_shards,
    mount,
    removed,
    small_disk,
    stand_in,
    stranger_on_the_port,
)  # fmt: skip
from tests.faults.environment import Environment, copied
from tests.faults.stage import Act, Stage, serving
from tools.artefact.stored import WEIGHTS, read_all, write_all

PAGE: Final = b"<!DOCTYPE html><html><body>Sign in to continue</body></html>"
"""What a login page or a mirror answers in a file's place."""

BOM: Final = b"\xef\xbb\xbf"
NAN: Final = 0x7FC0
"""In bfloat16."""

NAME: Final = "internlm2_5-1_8b-chat"
HUB: Final = "models--internlm--internlm2_5-1_8b-chat"
SNAPSHOT: Final = f"{{folder}}/{HUB}/snapshots/0123abcd"


def written(name: str, content: bytes = b"") -> Step:
    """Write a file below the folder, and the folders that it needs."""

    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return write


def configured(**changes: Any) -> Step:
    """Change fields of config.json."""
    return edited("config.json", lambda content: json.dumps({**json.loads(content), **changes}).encode())


def renamed(before: str, after: str) -> Step:
    return lambda folder: (folder / before).rename(folder / after)


def closed(name: str) -> Step:
    """Take the right to read a file, or the folder itself."""
    return lambda folder: (folder / name).chmod(0)


def without_template(folder: Path) -> None:
    """A base model's tokenizer has no chat template."""
    file = folder / "tokenizer_config.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({name: fields[name] for name in fields if name != "chat_template"}), encoding="utf-8")


def as_hub_cache(folder: Path) -> None:
    """A model in the hub's cache: its files, and a snapshot of links to them."""
    snapshot = folder / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    shutil.copytree(STANDIN, folder / "blobs")
    for blob in (folder / "blobs").iterdir():
        (snapshot / blob.name).symlink_to(f"../../blobs/{blob.name}")


def nan_in_a_weight(folder: Path) -> None:
    tensors = read_all(folder)
    tensors["model.layers.1.attention.wo.weight"][1][0, 7] = NAN
    write_all(folder / WEIGHTS, tensors)


def at(path: str, *steps: Step, given: str = "") -> Act:
    """A checkpoint at a path below the stage's folder.

    :param given: what --checkpoint says, `{folder}` being the stage's; empty for that path.
    """

    def act(stage: Stage) -> None:
        folder = stage.folder / path
        folder.parent.mkdir(parents=True, exist_ok=True)
        for step in steps:
            step(folder)
        stage.options["--checkpoint"] = given.replace("{folder}", str(stage.folder)) or str(folder)

    return act


def both(*acts: Act) -> Act:
    """One act after the other."""

    def act(stage: Stage) -> None:
        for one in acts:
            one(stage)

    return act


def installed(**versions: str) -> Callable[[Environment], None]:
    """Say that these versions are installed, in place of others."""

    def install(own: Environment) -> None:
        for name, version in versions.items():
            for found in own.packages.glob(f"{name}-*.dist-info"):
                found.rename(found.with_suffix(".hidden"))
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            written(f"{name}-{version}.dist-info/METADATA", metadata.encode())(own.packages)

    return install


def module(name: str, text: str) -> Callable[[Environment], None]:
    """Put a module into site-packages."""
    return lambda own: written(name, text.encode())(own.packages)


def torch_for(cuda: str | None) -> Act:
    """A torch that was built for this CUDA; None for a CPU build."""
    return environment(module("torch/__init__.py", ""), module("torch/version.py", f"cuda: Optional[str] = {cuda!r}\n"))


def without_lmdeploy(own: Environment) -> None:
    shutil.rmtree(own.distribution("lmdeploy"))
    own.program.unlink()


def beside_the_suite(name: str) -> Act:
    """Something of this name lies where pytest is started, in a copy of the suite."""

    def act(stage: Stage) -> None:
        root = copied(stage.folder / "suite")
        written(name)(root)
        environment(module("suite.pth", f"{root}\n"))(stage)
        stage.environment = Environment(stage.environment.folder, root)

    return act


def as_a_user(stage: Stage) -> None:
    """Root reads and writes everything; without these two capabilities it is a user as others are."""
    if os.geteuid() == 0:
        stage.prefix += ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def not_ours(*names: str) -> Act:
    """Folders that somebody else made: they can be read, and not written."""

    def act(stage: Stage) -> None:
        for name in names:
            (stage.folder / name).mkdir()
            (stage.folder / name).chmod(0o555)
        as_a_user(stage)

    return act


def temporary(name: str) -> Act:
    return lambda stage: stage.variables.update(TMPDIR=str(stage.folder / name))


def small_shared_memory(stage: Stage) -> None:
    """Docker's 64 MiB of /dev/shm, in a mount namespace of the run's own, and two cards."""
    stage.set_card(count=2)
    script = 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"'
    stage.prefix += ["unshare", "--mount", "sh", "-c", script, "sh"]


def server(*arguments: str, url: str = "http://127.0.0.1:{port}/v1", parser: bool = True) -> Act:
    """Somebody's server, whose address is given as --base-url."""
    given = ("--tool-call-parser", "internlm") if parser else ()

    def act(stage: Stage) -> None:
        serves = serving(stage.environment, stage.folder / "server.log", *given, *arguments)
        stage.options["--base-url"] = url.format(port=stage.after.enter_context(serves))

    return act


def nothing_listens(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        stage.options["--base-url"] = f"http://127.0.0.1:{once.getsockname()[1]}/v1"


ASKS_FOR_A_KEY: Final = server("--api-keys", "the-key")
NO_LIBRARY: Final = "raise ImportError('libcudart.so.12: cannot open shared object file')\n"

ACTS: Final[dict[str, Act]] = {
    # Files
    "weights-not-readable": both(checkpoint(stand_in, closed(WEIGHTS)), as_a_user),
    "folder-not-readable": both(checkpoint(stand_in, closed(".")), as_a_user),
    "source-is-quantized": checkpoint(stand_in, configured(quantization_config={"quant_method": "awq", "bits": 4})),
    "source-is-gptq": checkpoint(stand_in, configured(quantization_config={"quant_method": "gptq", "bits": 4})),
    "code-missing": checkpoint(stand_in, removed("modeling_internlm2.py"), removed("configuration_internlm2.py")),
    "code-is-a-page": checkpoint(stand_in, written("modeling_internlm2.py", PAGE)),
    "code-of-another-repository": checkpoint(stand_in, configured(auto_map={"AutoModel": "someone/it--modeling.It"})),
    "tokenizer-config-missing": checkpoint(stand_in, removed("tokenizer_config.json")),
    "tokenizer-cut": checkpoint(stand_in, edited("tokenizer.json", beginning)),
    "tokenizer-empty": checkpoint(stand_in, written("tokenizer.json")),
    "tokenizer-is-a-page": checkpoint(stand_in, removed("tokenizer.json"), written("tokenizer.model", PAGE)),
    "config-is-a-page": checkpoint(stand_in, written("config.json", PAGE)),
    "config-with-bom": checkpoint(stand_in, edited("config.json", lambda content: BOM + content)),
    "config-of-another-model": checkpoint(stand_in, configured(hidden_size=512, intermediate_size=1280)),
    "vocabulary-resized": checkpoint(stand_in, configured(vocab_size=1290)),
    "weights-are-a-page": checkpoint(stand_in, written(WEIGHTS, PAGE)),
    "nan-in-a-weight": checkpoint(stand_in, nan_in_a_weight),
    "lfs-pointer": checkpoint(stand_in, written(WEIGHTS, POINTER)),
    "download-half-done": checkpoint(in_shards, renamed(SECOND, f"{SECOND}.incomplete")),
    "aria2-half-done": checkpoint(stand_in, written(f"{WEIGHTS}.aria2")),
    "browser-renames": checkpoint(in_shards, renamed(SECOND, SECOND.replace(".", " (1)."))),
    "windows-hides-endings": checkpoint(stand_in, renamed("config.json", "config.json.txt")),
    "bin-cut": checkpoint(stand_in, removed(WEIGHTS), written("pytorch_model.bin", b"PK\x03\x04" + bytes(4000))),
    "adapter-given": checkpoint(written("adapter_config.json", b"{}"), written("adapter_model.safetensors", bytes(9))),
    "turbomind-workspace-given": checkpoint(written("triton_models/weights/config.yaml")),
    "gguf-given": at(f"{NAME}-q4_k_m.gguf", lambda file: file.write_bytes(b"GGUF" + bytes(60))),
    "one-folder-too-high": at(f"{NAME}/{NAME}", stand_in, given=f"{{folder}}/{NAME}"),
    "cache-root-given": at(HUB, as_hub_cache),
    "snapshot-without-blobs": at(HUB, as_hub_cache, lambda folder: shutil.rmtree(folder / "blobs"), given=SNAPSHOT),
    "modelscope-half-done": at(NAME, written(f"._____temp/{WEIGHTS}")),
    "base-model-given": at("internlm2_5-1_8b", stand_in, without_template),
    # Paths
    "path-with-return": at(NAME, stand_in, given=f"{{folder}}/{NAME}\r"),
    "path-with-blank": at(NAME, stand_in, given=f"{{folder}}/{NAME} "),
    "path-in-quotes": at(NAME, stand_in, given=f"“{{folder}}/{NAME}”"),
    "path-with-variable": at(NAME, stand_in, given=f"$FOLDER/{NAME}"),
    "path-of-windows": at(NAME, given=f"D:\\models\\{NAME}"),
    "path-of-nobody": at(NAME, given=f"~nobody-of-that-name/{NAME}"),
    "address-given": at(NAME, given=f"https://huggingface.co/internlm/{NAME}"),
    # The environment
    "lmdeploy-folder-shadows": beside_the_suite("lmdeploy/README.md"),
    "lmdeploy-package-shadows": beside_the_suite("lmdeploy/__init__.py"),
    "module-shadows": beside_the_suite("openai.py"),
    "hf-home-unwritable": not_ours("closed"),
    "hub-too-new": environment(installed(huggingface_hub="1.2.3")),
    "numpy-too-new": environment(installed(lmdeploy="0.7.3", numpy="2.0.0")),
    "httpx-too-new": environment(installed(openai="1.40.0", httpx="0.28.1")),
    "transformers-too-new": environment(installed(transformers="5.0.0")),
    "lmdeploy-elsewhere": environment(without_lmdeploy),
    "torch-for-cpu": torch_for(None),
    "torch-for-newer-driver": torch_for("14.0"),
    "turbomind-unloadable": environment(module("lmdeploy/turbomind/__init__.py", NO_LIBRARY)),
    # The GPU
    "card-too-old": lambda stage: stage.set_card(name="Tesla P40"),
    "card-too-small": lambda stage: stage.set_card(name="NVIDIA GeForce GT 1030", total=600, reserved=100),
    "container-without-gpu": gpu("init", pynvml.NVML_ERROR_LIBRARY_NOT_FOUND),
    "driver-updated": gpu("init", pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH),
    "memory-not-supported": gpu("error", pynvml.NVML_ERROR_NOT_SUPPORTED),
    "memory-not-permitted": gpu("error", pynvml.NVML_ERROR_NO_PERMISSION),
    "gpu-of-somebody-else": gpu("others", 21000),
    "shared-memory-of-docker": small_shared_memory,
    # The machine
    "disk-nearly-full": lambda stage: small_disk(stage, stage.work, "9m"),
    "no-inodes": lambda stage: mount(stage, stage.work, "-t", "tmpfs", "-o", "size=8g,nr_inodes=1", "tmpfs"),
    "temporary-folder-gone": temporary("gone"),
    "temporary-folder-closed": both(not_ours("closed"), temporary("closed")),
    "few-files": lambda stage: stage.prefix.extend(("prlimit", "--nofile=18")),
    "work-folder-of-somebody-else": not_ours("work/quantized", "work/fingerprints"),
    "work-folder-of-somebody-else-run": not_ours("work/quantized", "work/fingerprints"),
    "port-taken": stranger_on_the_port,
    # A server elsewhere
    "proxy-refuses": server(),
    "socks-proxy-server": server(),
    "server-without-parser": server(parser=False),
    "url-without-v1": server(url="http://127.0.0.1:{port}"),
    "url-of-a-question": server(url="http://127.0.0.1:{port}/v1/chat/completions"),
    "url-with-https": server(url="https://127.0.0.1:{port}/v1"),
    "url-without-scheme": server(url="127.0.0.1:{port}/v1"),
    "key-wanted": ASKS_FOR_A_KEY,
    "key-wrong": ASKS_FOR_A_KEY,
    "key-with-return": ASKS_FOR_A_KEY,
    "key-with-chinese": ASKS_FOR_A_KEY,
    "model-name-unknown": server(),
    "nothing-listens": nothing_listens,
    # Healthy
    "healthy-link": at("models/link", lambda link: link.symlink_to(STANDIN)),
    "healthy-snapshot": at(HUB, as_hub_cache, given=SNAPSHOT),
    "healthy-modelscope": at(
        f"Shanghai_AI_Laboratory/{NAME}",
        stand_in,
        written(".msc"),
        written(".mv"),
        written("configuration.json", b"{}"),
    ),
    "healthy-odd-path": at("我的 模型 (1)/书生 chat", stand_in),
    "healthy-home": at("chat", stand_in, given="~/../chat"),
    "healthy-crlf": checkpoint(
        stand_in, edited("tokenizer_config.json", lambda content: content.replace(b"\n", b"\r\n"))
    ),
    "no-proxy-with-ipv6": server(),
    "certificates-missing": server(),
    "openai-variables": server(),
}
