# The programs come from .venv when there is one, otherwise from PATH.
BIN := $(if $(wildcard .venv/bin/python),.venv/bin/)

.PHONY: check lint test fix campaign bench docs

check: lint test

lint:
	$(BIN)ruff format --check .
	$(BIN)ruff check .
	$(BIN)mypy
	$(BIN)lint-imports

test:
	$(BIN)python -m pytest -n logical

fix:
	$(BIN)ruff check --fix .
	$(BIN)ruff format .

# What .ci/run tries in part at full length: every byte flipped, thousands of faults and orders. Takes more than an hour.
campaign:
	RUNNER_TEST_EFFORT=5 $(BIN)python -m pytest -m campaign -n logical

bench:
	$(BIN)python benchmarks/startup.py
	$(BIN)python benchmarks/control_path.py
	$(BIN)python benchmarks/data_path.py
	$(BIN)python benchmarks/object_store.py
	$(BIN)python benchmarks/trees.py
	$(BIN)python benchmarks/scale.py
	$(BIN)python benchmarks/language.py

# Everything that is generated and committed; a test each compares it with the code.
docs:
	$(BIN)python -m pytest -q tests -k "freshness or function_schemas" --update-golden
