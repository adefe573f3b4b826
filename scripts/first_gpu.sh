#!/usr/bin/env bash
# What only a CUDA card can show of this checkout, step by step; --help says more. Packages that the machine lacks are
# taken from wheels/, if it is there (make wheels), else from .venv, if that is: nothing is fetched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}
if [[ -d wheels ]]; then
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target build/site wheels/*.whl
  export PYTHONPATH="$PWD/build/site${PYTHONPATH:+:$PYTHONPATH}"
elif [[ -x .venv/bin/python ]]; then
  python=.venv/bin/python
fi
"$python" -m scripts.first_gpu.needs
exec "$python" -m scripts.first_gpu "$@"
