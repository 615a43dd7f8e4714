"""Frozen models of documents; no behaviour beyond their invariants."""
