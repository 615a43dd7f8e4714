"""Commands that never outlive their run: a reaper process per run (Linux)."""
