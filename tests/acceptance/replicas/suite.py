"""Several servers behind one address: run with `-m replicas`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "replicas",
    "replicas: several servers behind one address; off unless -m names it or --replicas asks for several",
    judged=False,
    asked_by=lambda settings: settings.replicas > 1,
)
