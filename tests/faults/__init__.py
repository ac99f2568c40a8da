"""Proof that the suite notices: a catalogue of faults, each put into a real run, each caught for its own reason."""
