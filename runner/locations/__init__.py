"""Where exported data lives."""
