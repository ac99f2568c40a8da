"""Registers the suite's fixture modules, which bring their options and markers. Nothing else."""

import pytest

# A module comes after those that it imports: pytest rewrites the assertions of a plugin only on its first import.
PLUGINS = (
    "pytester_assertions",  # before pytester, which would have pytest look for it among what is installed
    "pytester",
    "fixtures.session.collecting",
    "fixtures.run.options",
    "fixtures.run.settings",
    "fixtures.session.refusals",
    "fixtures.run.measurement",
    "fixtures.model.checkpoint",
    "fixtures.session.workers",
    "fixtures.run.api_key",
    "fixtures.session.environment",
    "fixtures.session.recording",
    "fixtures.report.plugin",
    "fixtures.session.selection",
    "fixtures.session.interrupts",
    "fixtures.run.progress",
    "fixtures.gpu.plugin",
    "fixtures.lmdeploy.plugin",
    "fixtures.session.contract_record",
    "fixtures.model.quantization",
    "fixtures.model.artefact.running",
    "fixtures.model.special_tokens",
    "fixtures.server.external_server",
    "fixtures.ask.endpoint",
    "fixtures.server.deployment",
    "fixtures.server.in_turn",
    "fixtures.report.ahead",
    "fixtures.ask.trial_runs",
    "fixtures.ask.story",
    "fixtures.ask.tool_calls",
    "fixtures.doctor.plugin",
    "fixtures.rehearsal.forecast",
)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register them. For each name in `pytest_plugins` pytest 9.2 would read what every installed package declares."""
    for name in PLUGINS:
        pluginmanager.import_plugin(name)
