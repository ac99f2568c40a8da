"""Continuous batching against the plain way: one request at a time, no cache. A tiny random model of two layers."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
import transformers
from lmdeploy import messages

from fixtures.errors import CheckpointError
from fixtures.rehearsal.kv_int4 import FIRST_TOKENS, SlotCache, wants_tuples
from fixtures.rehearsal.sampling import NOISE_TOKENS
from fixtures.rehearsal.scheduler import Generation, Scheduler
from tests.rehearsal.own_model import OwnModel

FINISH, CANCEL, SUCCESS, ERROR = (
    messages.ResponseType.FINISH,
    messages.ResponseType.CANCEL,
    messages.ResponseType.SUCCESS,
    messages.ResponseType.INTERNAL_ENGINE_ERROR,
)
VOCABULARY = 97
WAIT_S = 60


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.5,
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture
def scheduler(model) -> Iterator[Scheduler]:
    """Exact: nothing is rounded in its cache."""
    one = Scheduler(model, SlotCache(2, 0, torch.float32), session_len=512)
    yield one
    one.stop()


class Request:
    """A request and what came back."""

    def __init__(self, prompt: list[int], count: int, make_grammar=lambda: None, *, stream=True, **parameters) -> None:
        self.outputs: queue.Queue = queue.Queue()
        parameters = {"top_k": 1, "ignore_eos": True, "max_new_tokens": count} | parameters
        self.generation = Generation(
            prompt=prompt,
            config=messages.GenerationConfig(**parameters),
            limit=count,
            stream=stream,
            emit=self.outputs.put,
            make_grammar=make_grammar,
        )

    def submitted(self, scheduler: Scheduler) -> Request:
        """Hand it in, and compute."""
        scheduler.submit(self.generation)
        scheduler.start()
        return self

    def result(self) -> tuple[list[int], object]:
        """All tokens and the last status."""
        tokens: list[int] = []
        while True:
            output = self.outputs.get(timeout=WAIT_S)
            tokens += output.token_ids
            if output.status is not SUCCESS:
                return tokens, output.status


def prompt(number: int) -> list[int]:
    """Prompts of different lengths and tokens; number 39 is longer than the cache is at first."""
    length = FIRST_TOKENS + 9 if number == 39 else 3 + 7 * (number % 5)
    return [(17 * number + 5 * place) % VOCABULARY for place in range(length)]


def greedy(model, ids: list[int], count: int) -> list[int]:
    """The plain way."""
    ids = list(ids)
    for _ in range(count):
        with torch.inference_mode():
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[-count:]


def test_batch_answers_as_one_at_a_time(model, scheduler):
    """More requests than rows, of different lengths, so that rows move and are used again, and the cache grows."""
    requests = [Request(prompt(number), 4 + number % 9) for number in range(40)]
    for request in requests:
        scheduler.submit(request.generation)
    scheduler.start()
    for number, request in enumerate(requests):
        assert request.result() == (greedy(model, prompt(number), 4 + number % 9), FINISH), number
    assert scheduler.metrics().active_seqs == 0


PROTOCOLS = pytest.mark.parametrize("protocol", ["tuples", "objects"])
ATTENTIONS = pytest.mark.parametrize("attention", ["eager", "sdpa"])


def own(protocol: str, attention: str = "eager") -> OwnModel:
    torch.manual_seed(1)
    return OwnModel(VOCABULARY, protocol, attention).eval()


@PROTOCOLS
@ATTENTIONS
@pytest.mark.parametrize("together", [True, False])
def test_code_of_either_protocol_answers_in_a_batch_as_one_at_a_time(protocol, attention, together):
    code = own(protocol, attention)
    as_tuples = wants_tuples(code, layers=2)
    assert as_tuples == (protocol == "tuples")
    scheduler = Scheduler(code, SlotCache(2, 0, torch.float32), session_len=1024, as_tuples=as_tuples)
    requests = [Request(prompt(number), 4 + number % 9) for number in range(40)]
    for number, request in enumerate(requests):
        request.submitted(scheduler)
        if not together:
            assert request.result() == (greedy(code, prompt(number), 4 + number % 9), FINISH), number
    for number, request in enumerate(requests if together else ()):
        assert request.result() == (greedy(code, prompt(number), 4 + number % 9), FINISH), number
    scheduler.stop()


def test_code_that_stores_in_neither_form_is_refused_with_what_it_said():
    code = own("neither")
    with pytest.raises(CheckpointError, match="no cache of yours") as refused:
        wants_tuples(code, layers=2)
    assert refused.value.id == "rehearsal_cache"


@pytest.mark.parametrize(
    ("spread", "fields", "tokens"),
    [
        (0.01, {}, NOISE_TOKENS),
        (0.5, {}, 60),
        (0.01, {"ignore_eos": True}, 60),
        (0.01, {"make_grammar": lambda: SimpleNamespace(mask=lambda _: None, accept=lambda _: None)}, 60),
        (0.01, {"count": NOISE_TOKENS - 1}, NOISE_TOKENS - 1),
    ],
    ids=["noise", "words", "any number forced", "grammar", "short"],
)
def test_reply_of_a_model_that_knows_nothing_is_cut_off(spread, fields, tokens):
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.LlamaConfig(vocab_size=VOCABULARY, initializer_range=spread, **sizes)
    code = transformers.LlamaForCausalLM(config).eval()
    scheduler = Scheduler(code, SlotCache(2, 0, torch.float32), session_len=512)
    request = Request(prompt(1), **({"count": 60, "ignore_eos": False, "temperature": 0.8, "top_k": 0} | fields))
    assert len(request.submitted(scheduler).result()[0]) == tokens
    scheduler.stop()


def test_tuples_are_quantized_on_entry_as_a_cache_object_is():
    older = own("tuples")
    exact, coarse = (Scheduler(older, SlotCache(2, bits, torch.float32), 1024, as_tuples=True) for bits in (0, 4))
    answers = []
    for scheduler in (exact, coarse):
        answers.append(Request(prompt(4), 60).submitted(scheduler).result()[0])
        scheduler.stop()
    assert answers[0] != answers[1]


def test_stop_token_ends_the_answer_and_is_part_of_it(model, scheduler):
    answer = greedy(model, prompt(2), 8)
    stop = answer[3]
    request = Request(prompt(2), 8, ignore_eos=False, stop_token_ids=[stop]).submitted(scheduler)
    assert request.result() == (answer[: answer.index(stop) + 1], FINISH)


def test_cancelled_request_ends_and_the_others_go_on(model, scheduler):
    long, short, waiting = Request(prompt(3), 400), Request(prompt(4), 30), Request(prompt(1), 5)
    scheduler.submit(waiting.generation)
    scheduler.cancel(waiting.generation)
    long.submitted(scheduler)
    short.submitted(scheduler)
    long.outputs.get(timeout=WAIT_S)
    scheduler.cancel(long.generation)
    tokens, status = long.result()
    assert status is CANCEL
    assert len(tokens) < 399
    assert waiting.result() == ([], CANCEL)
    assert short.result() == (greedy(model, prompt(4), 30), FINISH)


def test_failing_request_does_not_take_the_engine_down(model, scheduler):
    def broken():
        raise RuntimeError("no such grammar")

    bad, good = Request(prompt(1), 5, broken), Request(prompt(2), 5)
    scheduler.submit(bad.generation)
    scheduler.submit(good.generation)
    scheduler.start()
    assert bad.result() == ([], ERROR)
    assert good.result() == (greedy(model, prompt(2), 5), FINISH)
    assert scheduler.alive


def test_grammar_masks_and_is_told(scheduler):
    accepted: list[int] = []
    grammar = SimpleNamespace(mask=lambda logits: logits[1::2].fill_(-torch.inf), accept=accepted.append)
    request = Request(prompt(1), 12, lambda: grammar, top_k=0, temperature=2.0).submitted(scheduler)
    tokens, _ = request.result()
    assert len(tokens) == 12
    assert not [token for token in tokens if token % 2]
    assert accepted == tokens


def test_logprobs_hold_the_chosen_token(scheduler):
    request = Request(prompt(1), 3, stream=False, top_k=0, temperature=1.0, logprobs=2, random_seed=5)
    output = request.submitted(scheduler).outputs.get(timeout=WAIT_S)
    assert len(output.token_ids) == len(output.logprobs) == 3
    for token, row in zip(output.token_ids, output.logprobs, strict=True):
        assert token in row
        assert 2 <= len(row) <= 3


def test_stopping_cancels_what_is_left(scheduler):
    request = Request(prompt(1), 400).submitted(scheduler)
    request.outputs.get(timeout=WAIT_S)
    scheduler.stop()
    assert request.result()[1] is CANCEL
    assert not scheduler.alive
