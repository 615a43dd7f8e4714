"""Storage drivers, one folder each."""
