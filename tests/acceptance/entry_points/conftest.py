"""Fixtures of this suite."""

from tests.acceptance.entry_points.plugin import (
    gpu_to_itself,
    ground,
    homework_server,
    keep,
    quantized_chat,
    smaller_cache_chat,
    source_chat,
)

__all__ = ["gpu_to_itself", "ground", "homework_server", "keep", "quantized_chat", "smaller_cache_chat", "source_chat"]
