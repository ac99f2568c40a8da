"""`lmdeploy` as on a GPU machine on which TurboMind is `unloadable`, or a model is `unsupported` by it.

python without_turbomind.py unloadable serve api_server FOLDER
"""

import os
import sys
from types import ModuleType

LIBRARY = ("_turbomind", "lmdeploy.turbomind._turbomind")
"""TurboMind's own, up to 0.17 and since."""

BESIDE = "_xgrammar"
"""From 0.10 to 0.17 beside it, and in need of CUDA as well."""


class Empty(ModuleType):
    """A library that can be loaded, and whose names are never called."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


os.environ["CUDA_VISIBLE_DEVICES"] = ""
how = sys.argv.pop(1)
for library in (*LIBRARY, BESIDE):
    # None makes the import an ImportError, as a missing symbol does.
    sys.modules[library] = Empty(library) if how == "unsupported" else None  # type: ignore[assignment]

from lmdeploy.cli import run, serve  # noqa: E402

serve.get_max_batch_size = lambda _: 1  # it asks CUDA
sys.argv[0] = "lmdeploy"
run()
