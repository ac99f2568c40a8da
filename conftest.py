"""Registers the suite's fixture modules, which bring their options and markers. Nothing else."""

# A module comes after those that it imports: pytest rewrites the assertions of a plugin only on its first import.
pytest_plugins = [
    "fixtures.options",
    "fixtures.settings",
    "fixtures.refusals",
    "fixtures.api_key",
    "fixtures.recording",
    "fixtures.report.plugin",
    "fixtures.measurement",
    "fixtures.markers",
    "fixtures.interrupts",
    "fixtures.progress",
    "fixtures.gpu",
    "fixtures.environment",
    "fixtures.checkpoint",
    "fixtures.quantization",
    "fixtures.artefact.running",
    "fixtures.deployment",
    "fixtures.external_server",
    "fixtures.client",
    "fixtures.trial_runs",
    "fixtures.long_text",
    "fixtures.story",
    "fixtures.tool_calls",
    "fixtures.control",
    "fixtures.quality.run",
]
