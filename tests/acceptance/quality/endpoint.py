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
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fixtures.ask.load import Endpoint, post
from fixtures.errors import LmdeployError, RequestError

ONE_TOKEN: Final = {"max_tokens": 1, "temperature": 0.0, "ignore_eos": True, "skip_special_tokens": False}
"""Greedy, and the end of a turn is a token like any other."""


class ScoringEndpoint:
    """A server of this machine. Several threads may ask at a time.

    Every method raises RequestError where there is no usable answer.

    :param timeout: seconds for one answer.
    """

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self._endpoint = endpoint
        self._timeout = timeout

    def encode(self, texts: Sequence[str], bos: bool) -> list[list[int]]:
        """Return the token ids of each text; with `bos` the beginning of sequence in front."""
        answer = self._post("/v1/encode", {"input": list(texts), "add_bos": bos})
        encoded = answer.get("input_ids")
        if not isinstance(encoded, list) or len(encoded) != len(texts):
            raise self._unusable("/v1/encode", answer)
        return encoded

    def loss(self, ids: Sequence[int]) -> float:
        """Return the mean loss of all tokens but the first, nats per token: lmdeploy's `ppl`, before the exp."""
        answer = self._post("/get_ppl", {"input": list(ids)})
        loss = answer.get("ppl")
        if not isinstance(loss, (int, float)) or not math.isfinite(loss) or loss < 0:
            raise self._unusable("/get_ppl", answer)
        return float(loss)

    def next_token(self, ids: Sequence[int]) -> int:
        """Return the most probable token after these."""
        answer = self._post("/generate", {"input_ids": list(ids), **ONE_TOKEN})
        found = answer.get("output_ids")
        if not isinstance(found, list) or len(found) != 1:
            raise self._unusable("/generate", answer)
        return int(found[0])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        where = self._where(path)
        try:
            status, content = post(self._endpoint, path, body, self._timeout)
            if status == HTTPStatus.NOT_FOUND:
                raise LmdeployError("no_scoring_route", where=where, path=path)
            if status != HTTPStatus.OK:
                said = content[:1000].decode(errors="replace")
                raise RequestError("scoring_refused", where=where, detail=said, status=status)
            found = json.loads(content)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RequestError("scoring_unanswered", where=where, error=f"{type(error).__name__}: {error}") from None
        if not isinstance(found, dict):
            raise self._unusable(path, found)
        return found

    def _where(self, path: str) -> str:
        return f"POST {self._endpoint.host}:{self._endpoint.port}{path}"

    def _unusable(self, path: str, answer: Any) -> RequestError:
        return RequestError("scoring_unusable", where=self._where(path), detail=str(answer)[:1000])
