"""Images beside their reconstructions, by a method with an encoder."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.registry import algorithms
from ganlib.training.bases.reconstructing import N, Reconstructing

Make = Callable[..., Any]

METHODS = [
    name for name in algorithms.names() if issubclass(algorithms[name].updater, Reconstructing)
]


def rows(x: Tensor) -> set[tuple[float, ...]]:
    return {tuple(image.flatten().tolist()) for image in x}


@pytest.mark.parametrize("name", METHODS)
def test_training_images_alternate_with_their_reconstructions(
    name: str, make_updater: Make, toy_data: Callable[..., DataSet]
) -> None:
    data = toy_data(3, 28, n=100)
    updater = make_updater(name, data=data, architecture="dcgan")
    updater.update()
    pictures = updater.pictures(1)["reconstructions"]
    assert pictures.shape == (2 * N, 3, 28, 28) and pictures.abs().max() <= 1
    originals = pictures[::2]
    assert len(rows(originals) & rows(data.x / 127.5 - 1)) == N
    for module in updater.modules():
        module.eval()
    padded = updater.spec.to_image(((originals + 1) * 127.5).round().to(torch.uint8)) / 127.5 - 1
    expected = updater.spec.to_native(updater.reconstruct(padded)).detach()
    torch.testing.assert_close(pictures[1::2], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_the_seed_alone_chooses_the_images(
    name: str, make_updater: Make, toy_data: Callable[..., DataSet]
) -> None:
    updater = make_updater(name, data=toy_data(n=200))
    first = updater.pictures(0)["reconstructions"]
    for _ in range(3):
        updater.update()
    later, other = updater.pictures(0)["reconstructions"], updater.pictures(1)["reconstructions"]
    assert torch.equal(first[::2], later[::2]) and not torch.equal(first[::2], other[::2])
    assert not torch.equal(first[1::2], later[1::2])


@pytest.mark.parametrize("name", METHODS)
def test_an_updater_without_data_shows_none(
    name: str, make_updater: Make, toy_data: Callable[..., DataSet]
) -> None:
    trained = make_updater(name)
    networks = {k: v for k, v in trained.named_children() if k != "average"}
    sampler = algorithms[name].updater(trained.config, None, trained.spec, networks)
    assert sampler.pictures(0) == {}


@pytest.mark.parametrize("name", METHODS)
def test_scores_see_every_test_image_once_and_change_nothing(
    name: str, make_updater: Make, toy_data: Callable[..., DataSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.training.bases.reconstructing.BLOCK", 8)
    test = toy_data(n=21)
    updater = make_updater(name)
    updater.update()
    seen = torch.cat(list(updater.each(test)))
    assert len(seen) == 21
    assert rows(updater.spec.to_native(seen)) == rows(test.x / 127.5 - 1)
    before = {k: v.clone() for k, v in updater.state()["modules"].items()}
    modes = [m.training for m in updater.modules()]
    assert updater.scores(test) == updater.scores(test)
    assert all(torch.equal(v, before[k]) for k, v in updater.state()["modules"].items())
    assert [m.training for m in updater.modules()] == modes
    assert updater.data.position == updater.config.batch_size


@pytest.mark.parametrize("name", METHODS)
def test_mirrored_training_does_not_mirror_the_test_images(
    name: str, make_updater: Make, toy_data: Callable[..., DataSet]
) -> None:
    updater, test = make_updater(name), toy_data(n=16)
    updater.data.flip = True
    seen = torch.cat(list(updater.each(test)))
    assert rows(updater.spec.to_native(seen)) == rows(test.x / 127.5 - 1)
    assert updater.data.flip
