"""Train the classifier of evaluation/extractors/fashion.py; write its weights and their record.

Run `python -m scripts.train_fashion_classifier [--epochs 20] [--device cpu]` at the top of the
checkout.
"""

from ganlib.evaluation.extractors.fashion import FASHION
from scripts.classifiers import Recipe, command

RECIPE = Recipe(epochs=20, shift=2, background=0, decay=0.999)

if __name__ == "__main__":
    command(FASHION, RECIPE, "scripts/train_fashion_classifier.py")()
