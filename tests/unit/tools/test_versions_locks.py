"""Every version tried has complete locks, and pins that say why."""

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fixtures.lmdeploy.versions import REQUIREMENTS, tried
from tools.versions import locks

COMPILER = """#!{python}
import pathlib, sys
arguments = sys.argv[1:]
if "broken.in" in arguments or "lmdeploy-9.9.in" in arguments:
    sys.exit("No solution found: torch 2 and torch 3")
held = [pathlib.Path(arguments[i + 1]).read_text() for i, one in enumerate(arguments) if one == "--constraint"]
output = pathlib.Path(arguments[arguments.index("--output-file") + 1])
output.write_text("".join(held) or "lmdeploy==1.0\\ntorch==2.0\\nsympy==1.0\\nnumpy==1.26\\n")
"""


def pins(file: Path) -> dict[str, list[str]]:
    """The locked versions of each distribution: one, or one for each range of Pythons."""
    found: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            found.setdefault(requirement.name, []).append(str(requirement.specifier).removeprefix("=="))
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    compiler = tmp_path / "uv"
    compiler.write_text(COMPILER.format(python=sys.executable), encoding="utf-8")
    compiler.chmod(0o755)
    monkeypatch.setattr(locks, "program", lambda _: str(compiler))
    for version in ("1.0", "9.9"):
        (tmp_path / f"lmdeploy-{version}.in").write_text(f"-r suite.txt\nlmdeploy=={version}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("version", tried())
@pytest.mark.parametrize("kind", ["lmdeploy", "contract"])
def test_lock_holds_this_lmdeploy_and_what_the_suite_imports(kind: str, version: str) -> None:
    found = pins(REQUIREMENTS / f"{kind}-{version}.txt")
    assert found["lmdeploy"] == [version]
    assert {"pytest", "pytest-html", "pytest-xprocess", "nvidia-ml-py", "jsonschema", "scipy"} <= found.keys()
    assert all(all(one) for one in found.values()), "a requirement without a version"
    assert "pyairports" not in found, "that name belongs to a stranger now"


@pytest.mark.parametrize("version", tried())
def test_contract_environment_differs_in_torch_and_in_what_it_leaves_out(version: str) -> None:
    full, light = (pins(REQUIREMENTS / f"{kind}-{version}.txt") for kind in ("lmdeploy", "contract"))
    of_torch = {"torch", "sympy", "setuptools"}
    assert {name: one for name, one in light.items() if name not in of_torch and full.get(name) != one} == {}
    assert "ray" not in light
    assert not [name for name in light if name.startswith(("cuda-", "nvidia-")) and name != "nvidia-ml-py"]


@pytest.mark.parametrize("file", sorted(REQUIREMENTS.glob("*.in")), ids=lambda file: file.name)
def test_every_pin_has_its_reason(file: Path) -> None:
    """Beside it or above it; what the homework and the file's name say needs none."""
    given = {"lmdeploy", "timm", "openai"}
    lines = file.read_text(encoding="utf-8").splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        bare = line.split("#")[0].strip()
        if bare and not bare.startswith("-") and Requirement(bare).name not in given:
            homework = 'python_version < "3.12"' in bare
            follows = before.startswith("#") or "#" in line or before.startswith("torch==")
            assert homework or follows, bare


def test_set_is_resolved_for_a_gpu_and_then_for_its_contract(folder: Path) -> None:
    locks.renew("1.0", folder=folder)
    assert "torch==2.0" in folder.joinpath("lmdeploy-1.0.txt").read_text(encoding="utf-8")
    held = folder.joinpath("contract-1.0.txt").read_text(encoding="utf-8")
    assert held.split() == ["lmdeploy==1.0", "numpy==1.26"]


def test_copied_set_that_still_pins_the_version_before_is_refused(folder: Path) -> None:
    (folder / "lmdeploy-1.1.in").write_text((folder / "lmdeploy-1.0.in").read_text())
    with pytest.raises(SystemExit, match=r"lmdeploy-1\.1\.in pins lmdeploy==1\.0"):
        locks.renew("1.1", folder=folder)
    assert not (folder / "lmdeploy-1.1.txt").exists()
    with pytest.raises(SystemExit, match="pins no lmdeploy"):
        locks.renew("1.2", folder=folder)


def test_set_that_contradicts_itself_is_told_with_uvs_words(folder: Path) -> None:
    with pytest.raises(SystemExit, match="torch 2 and torch 3"):
        locks.renew("9.9", folder=folder)
