"""Contract suites and helpers for authors of plugins; imported by tests only."""
