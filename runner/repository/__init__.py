"""The encrypted, deduplicated store of exports on a location."""
