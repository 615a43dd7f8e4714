"""Rules over a document whose shape is valid; each returns findings."""
