# Nothing is needed before these but python3 (3.11 or newer) and make.
PYTHON ?= python3
ENV := .venv
BIN := $(ENV)/bin
STAMP := $(ENV)/.installed

.PHONY: demo test check env clean

demo: env  ## a world, the whole pipeline on it, a judged submission and a report
	$(BIN)/kpkit demo

test: env check  ## all checks: format, lint, types, tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(ENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[test]"
	touch $(STAMP)

clean:
	rm -rf $(ENV) dist build .pytest_cache .ruff_cache .mypy_cache
