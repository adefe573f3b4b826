"""What trains the classifiers that come with ganlib, on small data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.linalg import sqrtm
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.query import open_dataset
from ganlib.common.seeds import generator
from ganlib.evaluation.extractors.fashion import FASHION
from ganlib.evaluation.extractors.small import Kind, Layer, load_classifier
from ganlib.evaluation.extractors.wardrobe import WARDROBE
from scripts import train_classifier
from scripts.train_classifier import (
    RECIPES,
    Recipe,
    accuracy,
    augment,
    canvases,
    main,
    most_covered,
    packed,
    train,
)

KIND = Kind("small", "stripes", channels=3, side=8, classes=("a", "b"), layers=(Layer(8, 3, 2),))
RECIPE = Recipe(KIND, epochs=8, shift=1, background=255, decay=0.8)


def stripes(n: int) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, 8, 8), rows or columns in a colour of their own, and which of them: (n,)."""
    random = generator(0, "stripes", n)
    y = torch.randint(2, (n,), generator=random)
    colour = torch.randint(128, (n, 3, 1, 1), generator=random)
    across = (torch.arange(8) % 4 < 2).expand(8, 8)
    mask = torch.where(y[:, None, None] == 1, across, across.T)[:, None]
    return torch.where(mask, colour, 255).to(torch.uint8), y


def test_augmented_images_are_shifted_and_mirrored() -> None:
    x = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).view(2, 3, 4, 4).repeat(100, 1, 1, 1)
    recipe = Recipe(KIND, epochs=1, shift=2, background=200, decay=0.9)
    found = augment(x, recipe, generator(0))
    assert found.shape == x.shape and found.dtype == torch.uint8
    page = torch.nn.functional.pad(x[:2], (2,) * 4, value=200)
    allowed: list[set[bytes]] = [set(), set()]
    for i in range(2):
        for row in range(5):
            for column in range(5):
                cut = page[i, :, row : row + 4, column : column + 4]
                allowed[i] |= {cut.numpy().tobytes(), cut.flip(2).numpy().tobytes()}
    seen = [{image.numpy().tobytes() for image in found[i::2]} for i in range(2)]
    assert seen[0] <= allowed[0] and seen[1] <= allowed[1]
    assert len(seen[0]) > 30, "of 50 there are, 100 times drawn"


def test_a_small_classifier_learns_and_is_the_same_each_time() -> None:
    x, y = stripes(1024)
    weights = packed(train(RECIPE, x, y, seed=0))
    assert packed(train(RECIPE, x, y, seed=0)) == weights
    assert packed(train(RECIPE, x, y, seed=1)) != weights
    assert accuracy(load_classifier(KIND, weights), *stripes(200)) > 0.95


def test_weights_and_record_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_stripes(name: str, split: str) -> DataSet:
        x, y = stripes({"train": 1024, "test": 200}[split])
        return DataSet(name, x, y)

    given = []

    def distance(kind: Kind, weights: Path) -> float:
        given.append((kind, weights.read_bytes()))
        return 0.25

    monkeypatch.setattr(train_classifier, "open_dataset", open_stripes)
    monkeypatch.setattr(train_classifier, "distance", distance)
    monkeypatch.setitem(RECIPES, "emoji", RECIPE)
    out = tmp_path / "small.safetensors"
    asked = ["emoji", "--epochs", "6", "--out", str(out)]
    done = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert done.exit_code == 0 and "epoch 6" in done.output and "epoch 7" not in done.output
    record = json.loads((tmp_path / "small.json").read_text())
    found = accuracy(load_classifier(KIND, out.read_bytes()), *stripes(200))
    assert record["accuracy"] == found and record["fd_train_test"] == 0.25
    assert (record["epochs"], record["seed"]) == (6, 0)
    assert (Path(train_classifier.__file__).parents[1] / record["script"]).exists()
    assert given == [(KIND, out.read_bytes())]


def test_labels_may_be_other_than_the_data_sets_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def swapped(kind: Kind, split: str) -> tuple[Tensor, Tensor]:
        asked.append((kind, split))
        x, y = stripes({"train": 1024, "test": 200}[split])
        return x, 1 - y

    monkeypatch.setattr(train_classifier, "distance", lambda kind, weights: 0.25)
    monkeypatch.setitem(RECIPES, "emoji", replace(RECIPE, labelled=swapped))
    out = tmp_path / "small.safetensors"
    CliRunner().invoke(main, ["emoji", "--out", str(out)], catch_exceptions=False)
    assert asked == [(KIND, "train"), (KIND, "test")]
    x, y = stripes(200)
    assert accuracy(load_classifier(KIND, out.read_bytes()), x, y) < 0.05
    assert json.loads((tmp_path / "small.json").read_text())["accuracy"] > 0.95


def test_the_distance_is_of_all_test_images_to_all_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a formula has it, of features of the weights that are given."""
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path))
    data = {
        split: DataSet("clothes", open_dataset("fashion_mnist", split=split).x[torch.arange(n)])
        for split, n in (("train", 600), ("test", 300))
    }
    monkeypatch.setattr(train_classifier, "open_dataset", lambda name, split: data[split])
    found = train_classifier.distance(FASHION, FASHION.weights)
    network = load_classifier(FASHION, FASHION.weights.read_bytes())
    both = [network(data[split].x[torch.arange(len(data[split]))])[0].double() for split in data]
    (mean, cov), (other, cov2) = ((f.mean(0).numpy(), np.cov(f.numpy().T)) for f in both)
    root = 2 * np.trace(sqrtm(cov @ cov2).real)
    expected = ((mean - other) ** 2).sum() + np.trace(cov) + np.trace(cov2) - root
    assert found == pytest.approx(expected, rel=1e-3)


def test_the_class_that_covers_most_and_never_the_ground() -> None:
    maps = torch.randint(5, (50, 6, 8), generator=generator(0, "maps"))
    maps[:, :3] = 0
    counts = [np.bincount(one.flatten(), minlength=5)[1:] for one in maps]
    found = most_covered(maps, 4)
    assert found.tolist() == [int(count.argmax()) for count in counts]
    assert len(found.unique()) == 4


def test_all_canvases_have_their_own_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they are read in parts."""
    y = torch.arange(12) % 10
    x = torch.arange(12, dtype=torch.uint8)[:, None, None, None].expand(12, 3, 4, 4)
    maps = torch.zeros(12, 2, 4, 4, dtype=torch.int32)
    maps[:, 0, 0, 1:3] = (y[:, None] + 1).int()
    maps[:, 1] = 7  # numbers of items, which say nothing

    def open_maps(name: str, split: str) -> DataSet:
        assert (name, split) == ("wardrobe", "test")
        return DataSet(name, x, source=maps, source_kind="ids")

    monkeypatch.setattr(train_classifier, "open_dataset", open_maps)
    monkeypatch.setattr(train_classifier, "AT_ONCE", 5)
    images, labels = canvases(WARDROBE, "test")
    assert torch.equal(images, x) and torch.equal(labels, y)


def test_each_bundled_classifier_is_of_its_recipe() -> None:
    """Recipes and records agree on the epochs, and records name the script."""
    for recipe in RECIPES.values():
        record = json.loads(recipe.kind.weights.with_suffix(".json").read_text("utf-8"))
        assert record["epochs"] == recipe.epochs
        assert (Path(train_classifier.__file__).parents[1] / record["script"]).exists()
