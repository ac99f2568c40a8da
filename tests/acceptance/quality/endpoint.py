"""lmdeploy's own ways to score a text, which the OpenAI API does not have.

`/get_ppl` answers with the mean loss of a prompt from one prefill. That includes the damage of an int4 KV cache:
TurboMind writes a prompt's keys and values into the cache, quantized, and reads them back before it attends to them
(`unified_attention_layer.cc`: ProcessKV, FlattenKV, attention). No other route gives TurboMind's loss of given tokens:
`/generate` with `logprob_start_len` is for the PyTorch engine alone, and the `logprobs` of chat completions are of
tokens that the model chose itself.
"""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fixtures.ask.load import Endpoint, post
from fixtures.errors import LmdeployError, RequestError

ONE_TOKEN: Final = {"max_tokens": 1, "temperature": 0.0, "ignore_eos": True, "skip_special_tokens": False}
"""Greedy, and the end of a turn is a token like any other."""


@dataclass(frozen=True)
class ScoringEndpoint:
    """A server of this machine. Several threads may ask at a time.

    Every method raises RequestError where there is no usable answer.

    :param timeout: seconds for one answer.
    """

    endpoint: Endpoint
    timeout: float

    def encode(self, texts: Sequence[str], bos: bool) -> list[list[int]]:
        """Return the token ids of each text; with `bos` the beginning of sequence in front."""
        body = {"input": list(texts), "add_bos": bos}
        found: list[list[int]] = self._ask("/v1/encode", body, "input_ids", lambda ids: len(ids) == len(texts))
        return found

    def loss(self, ids: Sequence[int]) -> float:
        """Return the mean loss of all tokens but the first, nats per token: lmdeploy's `ppl`, before the exp."""
        usable = self._ask("/get_ppl", {"input": list(ids)}, "ppl", lambda loss: math.isfinite(loss) and loss >= 0)
        return float(usable)

    def next_token(self, ids: Sequence[int]) -> int:
        """Return the most probable token after these."""
        body = {"input_ids": list(ids), **ONE_TOKEN}
        return int(self._ask("/generate", body, "output_ids", lambda found: len(found) == 1)[0])

    def _ask(self, path: str, body: dict[str, Any], field: str, usable: Callable[[Any], bool]) -> Any:
        where = f"POST {self.endpoint.host}:{self.endpoint.port}{path}"
        try:
            status, content = post(self.endpoint, path, body, self.timeout)
            if status == HTTPStatus.NOT_FOUND:
                raise LmdeployError("no_scoring_route", where=where, path=path)
            if status != HTTPStatus.OK:
                said = content[:1000].decode(errors="replace")
                raise RequestError("scoring_refused", where=where, detail=said, status=status)
            answer = json.loads(content)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RequestError("scoring_unanswered", where=where, error=f"{type(error).__name__}: {error}") from None
        try:
            if usable(answer[field]):
                return answer[field]
        except (KeyError, TypeError):
            pass
        raise RequestError("scoring_unusable", where=where, detail=str(answer)[:1000])
