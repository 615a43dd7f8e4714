"""From a checked blueprint to a plan: immutable data that can be printed."""
