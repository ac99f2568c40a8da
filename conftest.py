"""Registers the suite's fixture modules, which bring their options and markers. Nothing else."""

import pytest

# A module comes after those that it imports: pytest rewrites the assertions of a plugin only on its first import.
PLUGINS = (
    "pytester",
    "fixtures.collecting",
    "fixtures.options",
    "fixtures.settings",
    "fixtures.refusals",
    "fixtures.measurement",
    "fixtures.checkpoint",
    "fixtures.workers",
    "fixtures.api_key",
    "fixtures.recording",
    "fixtures.report.plugin",
    "fixtures.markers",
    "fixtures.interrupts",
    "fixtures.progress",
    "fixtures.gpu",
    "fixtures.environment",
    "fixtures.contract",
    "fixtures.contract_record",
    "fixtures.quantization",
    "fixtures.artefact.running",
    "fixtures.external_server",
    "fixtures.client",
    "fixtures.deployment",
    "fixtures.trial_runs",
    "fixtures.ladder_store",
    "fixtures.long_text",
    "fixtures.story",
    "fixtures.tool_calls",
    "fixtures.doctor.plugin",
)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register them. For each name in `pytest_plugins` pytest 9.2 would read what every installed package declares."""
    for name in PLUGINS:
        pluginmanager.import_plugin(name)
