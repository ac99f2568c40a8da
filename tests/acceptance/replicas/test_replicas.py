"""多个副本 / Several servers behind lmdeploy's request distributor: run with `--replicas N`.

The homework's claims are decided through the distributor. These say that no replica hides behind the others.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict

import pytest

from fixtures.ask.story import MAX_TOKENS
from fixtures.client.client import Client
from fixtures.evidence import Evidence
from fixtures.homework import SAMPLING, STORY_PROMPT
from fixtures.judge.ending import ended_fault
from fixtures.judge.fluency import chinese_fault
from fixtures.run.claims import claim
from fixtures.run.measurement import Measure, assert_no_fault
from fixtures.run.settings import Settings
from fixtures.server.api_server import RunningServer
from fixtures.server.replicas import answered
from fixtures.texts import message

pytestmark = [pytest.mark.gpu, pytest.mark.replicas]

ASKED_AT_ONCE = 4
"""Stories for each replica at the same time: the distributor sends the next request to whoever is least busy."""

STORY = [{"role": "user", "content": STORY_PROMPT}]


@claim(
    "replicas.each_answers",
    part="chat",
    zh="多副本：每个副本都能独立讲故事",
    en="Replicas: each tells the story by itself",
)
def test_each_replica_tells_the_story(
    server: RunningServer, settings: Settings, evidence: Evidence, measure: Measure
) -> None:
    """Asked at its own address, behind the distributor's back."""
    faults = []
    for replica in server.replicas:
        with closing(Client(replica, settings.request_timeout, evidence.append)) as client:
            answer = client.ask(STORY, max_tokens=MAX_TOKENS, **asdict(SAMPLING))
        faults.append(chinese_fault(answer.text) or ended_fault(answer, MAX_TOKENS))
    measure("replicas_that_tell_it", faults.count(None), expected=settings.replicas)
    for fault in faults:
        assert_no_fault(fault)
    assert len(faults) == settings.replicas


@claim(
    "replicas.share_the_work",
    part="deployment",
    zh="多副本：请求分发到每个副本",
    en="Replicas: the distributor uses each of them",
)
def test_distributor_uses_each_replica(
    server: RunningServer, client: Client, settings: Settings, measure: Measure
) -> None:
    """Requests at the same time go to all of them."""
    before = [answered(replica) for replica in server.replicas]
    number = ASKED_AT_ONCE * settings.replicas
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(lambda _: client.ask(STORY, max_tokens=MAX_TOKENS), range(number)))
    grown = [answered(replica) - count for replica, count in zip(server.replicas, before, strict=True)]
    measure("answers_of_each_replica", grown, limit=message("replicas.in_all", number=number))
    assert sum(grown) == number
    assert_no_fault(None if all(grown) else message("replicas.idle", answers=grown))
