"""Train the classifier of evaluation/extractors/emoji.py; write its weights and their record.

Run `python -m scripts.train_emoji_classifier [--epochs 32] [--device cpu]` at the top of the
checkout.
"""

from ganlib.evaluation.extractors.emoji import EMOJI
from scripts.classifiers import Recipe, command

RECIPE = Recipe(epochs=32, shift=6, background=255, decay=0.99)

if __name__ == "__main__":
    command(EMOJI, RECIPE, "scripts/train_emoji_classifier.py")()
