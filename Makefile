# make train: a first generator on the CPU in minutes. make test: every quick check. make test-all: the slow ones too.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test test-all clean

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-tests: .venv/installed
	$(BIN)/pip install --quiet --editable .[test]
	touch $@

train: .venv/installed
	$(BIN)/python train.py --config example_configs/quickstart.yaml

test: .venv/installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

test-all: test
	$(BIN)/python -m pytest -m slow

clean:
	rm -rf .venv build *.egg-info
