"""Runs plans: a pure conductor decides, an executor acts, a journal remembers."""
