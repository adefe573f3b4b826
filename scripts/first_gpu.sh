#!/usr/bin/env bash
# What only a CUDA card can show of this checkout, in an hour at most; --help says more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -e .venv/installed-tests ]] || echo "Installing into .venv, which takes some minutes."
timeout 30m make --silent .venv/installed-tests
exec .venv/bin/python -m scripts.first_gpu "$@"
