"""How a mistake is made of what its line in the catalogue says, and what takes more than a line."""

import json
import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from fixtures.standin.checkpoint import STANDIN
from tests.faults.acts import (
    POINTER,
    beginning,
    edited,
    environment,
    mount,
    sharded,
    small_disk,
    stand_in,
    stranger_on_the_port,
)  # fmt: skip
from tests.faults.environment import Environment, copied
from tests.faults.stage import Act, Stage, serving
from tests.mistakes.catalogue import SERVER, Mistake
from tests.unit.tiny_checkpoint import write_checkpoint
from tools.artefact.stored import WEIGHTS, read_all, write_all

NAN: Final = 0x7FC0
"""In bfloat16."""


def _bare(content: bytes) -> bytes:
    return json.dumps({name: value for name, value in json.loads(content).items() if name != "chat_template"}).encode()


CONTENTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "empty": lambda _: b"",
    "cut": beginning,
    "page": lambda _: b"<!DOCTYPE html><html><body>Sign in to continue</body></html>",
    "pointer": lambda _: POINTER,
    "zip cut": lambda _: b"PK\x03\x04" + bytes(4000),
    "with BOM": lambda content: b"\xef\xbb\xbf" + content,
    "with CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "of a base model": lambda content: re.sub(rb"<\|(\w+)\|>", rb"[UNUSED_\1]", _bare(content)),
}
"""What becomes of a file's content, or of none."""


def as_hub_cache(folder: Path) -> None:
    """A model in the hub's cache: its files, and a snapshot of links to them."""
    snapshot = folder / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    shutil.copytree(STANDIN, folder / "blobs")
    for blob in (folder / "blobs").iterdir():
        (snapshot / blob.name).symlink_to(f"../../blobs/{blob.name}")


def with_nan(folder: Path) -> None:
    """One number of all its weights is none."""
    stand_in(folder)
    tensors = read_all(folder)
    tensors["model.layers.1.attention.wo.weight"][1][0, 7] = NAN
    write_all(folder / WEIGHTS, tensors)


def family(architecture: str, folder: Path) -> None:
    """A checkpoint of another family, of some kilobytes."""
    write_checkpoint(folder, architecture=architecture)


BASES: Final[dict[str, Callable[[Path], object]]] = {
    "stand-in": stand_in,
    "in shards": sharded,
    "with NaN": with_nan,
    "hub cache": as_hub_cache,
    **{name: partial(family, f"{name}ForCausalLM") for name in ("Qwen2", "Qwen3", "Llama", "InternLM3")},
    "link": lambda path: path.symlink_to(STANDIN),
    "folder": Path.mkdir,
    "file": Path.touch,
}


def change(folder: Path, name: str, how: str) -> None:
    """Do to a file of the folder what the catalogue says."""
    path = folder / name
    if how.startswith("-> "):
        path.rename(folder / how.removeprefix("-> "))
    elif how == "closed":
        path.chmod(0)
    elif how == "gone":
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENTS[how](path.read_bytes() if path.exists() else b""))


def checkpoint(mistake: Mistake, stage: Stage) -> None:
    """The checkpoint that is given, unless the arguments say otherwise."""
    folder = stage.folder / mistake.at
    folder.parent.mkdir(parents=True, exist_ok=True)
    BASES[mistake.base](folder)
    if mistake.config:
        edited("config.json", lambda content: json.dumps({**json.loads(content), **mistake.config}).encode())(folder)
    for name, how in mistake.files.items():
        change(folder, name, how)
    stage.options["--checkpoint"] = str(folder)


def install(mistake: Mistake, own: Environment) -> None:
    """Put modules into site-packages, and say that these versions are installed, in place of others."""
    metadata = {}
    for name, version in mistake.installed.items():
        for found in own.packages.glob(f"{name}-*.dist-info"):
            found.rename(found.with_suffix(".hidden"))
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata[f"{name}-{version}.dist-info/METADATA"] = text
    for file, text in {**metadata, **mistake.modules}.items():
        (own.packages / file).parent.mkdir(exist_ok=True)
        (own.packages / file).write_text(text, encoding="utf-8")


def started_elsewhere(mistake: Mistake, stage: Stage) -> None:
    """Start pytest in a copy of the suite, beside files that are no part of it."""
    root = copied(stage.folder / "suite")
    for name in mistake.beside:
        change(root, name, "empty")
    environment(lambda own: (own.packages / "suite.pth").write_text(f"{root}\n", encoding="utf-8"))(stage)
    stage.environment = Environment(stage.environment.folder, root)


def without_lmdeploy(own: Environment) -> None:
    """lmdeploy is in another environment."""
    shutil.rmtree(own.distribution("lmdeploy"))
    own.program.unlink()


ACTS: Final[dict[str, Act]] = {
    "lmdeploy-elsewhere": environment(without_lmdeploy),
    "disk-nearly-full": lambda stage: small_disk(stage, stage.work, "9m"),
    "no-inodes": lambda stage: mount(stage, stage.work, "-t", "tmpfs", "-o", "size=8g,nr_inodes=1", "tmpfs"),
    "port-taken": stranger_on_the_port,
}
"""What takes more than a line."""


def made(mistake: Mistake) -> Act:
    """The act that prepares a stage for it."""

    def act(stage: Stage) -> None:
        folder = str(stage.folder)
        stage.prefix += mistake.prefix
        stage.arguments += [one.replace("{folder}", folder) for one in mistake.arguments]
        stage.variables |= {name: value.replace("{folder}", folder) for name, value in mistake.variables.items()}
        if mistake.base:
            checkpoint(mistake, stage)
        if mistake.card:
            stage.set_card(**mistake.card)
        for name, value in mistake.gpu.items():
            stage.set_gpu(name, value)
        if mistake.installed or mistake.modules:
            environment(partial(install, mistake))(stage)
        if mistake.beside:
            started_elsewhere(mistake, stage)
        for name in mistake.not_ours:
            (stage.folder / name).mkdir(mode=0o555)
        if (mistake.not_ours or "closed" in mistake.files.values()) and os.geteuid() == 0:
            # Root reads and writes everything; without these two capabilities it is a user as others are.
            stage.prefix += ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if mistake.by == SERVER:
            serves = serving(stage.environment, stage.folder / "server.log", *mistake.serve)
            stage.options["--base-url"] = mistake.url.format(port=stage.after.enter_context(serves))
        if mistake.id in ACTS:
            ACTS[mistake.id](stage)

    return act
