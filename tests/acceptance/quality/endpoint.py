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
import urllib.error
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fixtures.errors import LmdeployError, RequestError

ONE_TOKEN: Final = {"max_tokens": 1, "temperature": 0.0, "ignore_eos": True, "skip_special_tokens": False}
"""Greedy, and the end of a turn is a token like any other."""


class ScoringEndpoint:
    """A server of this machine. Several threads may ask at a time.

    Every method raises RequestError where there is no usable answer.

    :param root: such as `http://127.0.0.1:23333`.
    :param timeout: seconds for one answer.
    :param api_key: what the server asks for; '' where it asks for none.
    """

    def __init__(self, root: str, timeout: float, api_key: str = "") -> None:
        self._root = root
        self._timeout = timeout
        self._headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {api_key}"} if api_key else {}
        )
        # A proxy set for the hub must not stand between the client and a server on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def encode(self, texts: Sequence[str], bos: bool) -> list[list[int]]:
        """Token ids of each text; with `bos` the beginning of sequence in front."""
        answer = self._post("/v1/encode", {"input": list(texts), "add_bos": bos})
        encoded = answer.get("input_ids")
        if not isinstance(encoded, list) or len(encoded) != len(texts):
            raise self._unusable("/v1/encode", answer)
        return encoded

    def loss(self, ids: Sequence[int]) -> float:
        """Mean loss of all tokens but the first, nats per token: what lmdeploy calls `ppl`, before the exp."""
        answer = self._post("/get_ppl", {"input": list(ids)})
        loss = answer.get("ppl")
        if not isinstance(loss, (int, float)) or not math.isfinite(loss) or loss < 0:
            raise self._unusable("/get_ppl", answer)
        return float(loss)

    def next_token(self, ids: Sequence[int]) -> int:
        """The most probable token after these."""
        answer = self._post("/generate", {"input_ids": list(ids), **ONE_TOKEN})
        found = answer.get("output_ids")
        if not isinstance(found, list) or len(found) != 1:
            raise self._unusable("/generate", answer)
        return int(found[0])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self._root + path, json.dumps(body).encode(), self._headers)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                found = json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise self._refused(path, refusal.code, refusal.read().decode(errors="replace")) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RequestError(
                f"no answer: {type(error).__name__}: {error}", where=self._where(path), remedy="read the server's log"
            ) from None
        if not isinstance(found, dict):
            raise self._unusable(path, found)
        return found

    def _refused(self, path: str, status: int, said: str) -> LmdeployError | RequestError:
        if status == HTTPStatus.NOT_FOUND:
            return LmdeployError(
                f"this lmdeploy has no {path}",
                where=self._where(path),
                remedy="measure quality with lmdeploy 0.18.0",
            )
        return RequestError(
            f"status {status}", where=self._where(path), remedy="read the server's log", detail=said[:1000]
        )

    def _where(self, path: str) -> str:
        return f"POST {self._root}{path}"

    def _unusable(self, path: str, answer: Any) -> RequestError:
        return RequestError(
            "an answer that is not what lmdeploy 0.18.0 answers",
            where=self._where(path),
            remedy="compare the route in this lmdeploy version with tests/acceptance/quality/endpoint.py",
            detail=str(answer)[:1000],
        )
