# make train: a first generator on the CPU in minutes. make test: every quick check. make test-all: the slow ones too.
PYTHON ?= python3
BIN := .venv/bin
# tests start a hundred processes, each of which would compile the library anew
export PYTHONDONTWRITEBYTECODE :=

.PHONY: train test test-all wheels clean

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

# what a machine with PyTorch, of this Python on x86-64 Linux, may lack besides it, for scripts/first_gpu.sh there
FOR ?= 3.12
FETCH = $(PYTHON) -m pip download --quiet --dest wheels --only-binary=:all: --python-version $(FOR) \
	--implementation cp $(foreach n,_2_28 _2_24 _2_17 2014 1,--platform manylinux$(n)_x86_64)
wheels:
	$(FETCH) greenlet pydantic rich
	$(FETCH) --no-deps torch-fidelity
	du -sh wheels

clean:
	rm -rf .venv build *.egg-info
