"""Function calling and chat beyond the homework: run with `-m depth`."""

from typing import Final

from fixtures.suites import Suite

SUITE: Final = Suite(
    "depth",
    "depth: function calling and chat beyond the homework; off unless -m names it or the profile is strict",
    judged=False,
    shared=True,
    asked_by=lambda settings: settings.profile == "strict",
)
