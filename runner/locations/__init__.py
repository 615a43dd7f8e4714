"""Places that hold exported data as named objects: one module per kind, and `urls` that opens one by its URL.

The contract is `runner.registry.location`; `runner.testing.location_contract` shows whether a location keeps it.
"""
