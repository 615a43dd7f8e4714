"""Storage drivers: one folder each, unaware of each other.

The contract is `runner.registry.driver`; `runner.testing.driver_contract` shows whether a driver keeps it.
"""
