"""One rule, one file: each is a function `check(scope)` that yields findings."""
