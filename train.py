"""`python train.py ...` is `python -m ganlib train ...`."""

from ganlib.__main__ import main

if __name__ == "__main__":
    main("train")
