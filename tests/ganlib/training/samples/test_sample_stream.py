"""Samples by their numbers: what they are told, and how they are normalised."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.common.layers.basic import one_hot
from ganlib.training.samples import sample_stream as module
from ganlib.training.samples.sample_stream import Sampler, full_size

Make = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("small_methods")


def samples(updater: Sampler, n: int, seed: int = 0, **how: Any) -> Tensor:
    return torch.cat(list(updater.sample(n, seed, **how)))


@pytest.mark.parametrize("name", ["styled", "dropped", "labelled", "dcgan"])
@pytest.mark.parametrize("statistics", ["running", "standing:2", "batch"])
def test_image_7_alone_is_image_7_of_16(name: str, statistics: str, make_updater: Make) -> None:
    updater = make_updater(name, ema_decay=0.9)
    updater.update()
    whole = samples(updater, 16, seed=3, statistics=statistics)
    alone = updater.sample_stream(3, statistics=statistics).images([7])
    torch.testing.assert_close(alone[0], whole[7], rtol=1e-4, atol=1e-5)
    few = samples(updater, 9, seed=3, batch_size=2, statistics=statistics)
    torch.testing.assert_close(few, whole[:9], rtol=1e-4, atol=1e-5)


def test_standing_statistics_of_large_batches_are_made_in_passes(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("dcgan", batch_size=48, statistics="standing:2")
    updater.update()
    found, sizes = [], list[int]()
    gen = updater.gen
    for at_once in (module.AT_ONCE, 12 * 32 * 32):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
        hook = gen.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
        copy = updater.sample_stream(0).gen
        hook.remove()
        found.append([m for m in copy.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)])
    assert sizes == 2 * [48] + 8 * [12]
    for number, (whole, parted) in enumerate(zip(*found, strict=True)):
        near = {"rtol": 1e-4, "atol": 1e-5} if number == 0 else {"rtol": 0.1, "atol": 0.1}
        for name in ("running_mean", "running_var"):
            torch.testing.assert_close(getattr(parted, name), getattr(whole, name), **near)


def test_statistics_make_other_samples_and_leave_the_networks(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    for _ in range(2):
        updater.update()
    before = {name: t.clone() for name, t in updater.state_dict().items()}
    found = [samples(updater, 8, statistics=s) for s in ("running", "standing:3", "batch")]
    assert all(torch.equal(t, before[name]) for name, t in updater.state_dict().items())
    assert not torch.allclose(found[0], found[1]) and not torch.allclose(found[1], found[2])
    z, _ = updater.latents(range(4, 8), 0)  # the second group: batch_size is 4
    by_hand = updater.spec.to_native(updater.gen(z)).detach()
    torch.testing.assert_close(found[2][4:], by_hand, rtol=1e-4, atol=1e-5)


def test_dropout_is_the_noise_of_a_sample(make_updater: Make) -> None:
    updater = make_updater("dropped", batch_size=1)
    y = updater.data.condition_at(torch.tensor([5, 5]))
    twice = samples(updater, 2, y=y, statistics="running")
    assert not torch.allclose(twice[0], twice[1])  # one source, two masks
    assert torch.equal(twice, samples(updater, 2, y=y, statistics="running"))


def test_a_sample_in_steps(make_updater: Make) -> None:
    updater = make_updater("dropped", statistics="running")
    y = updater.held_out.condition_at(torch.arange(3))
    stream = updater.sample_stream(4, y=y)
    z, _ = stream.latents([2, 0])
    assert torch.equal(stream.hidden([2, 0]), z)
    with stream.noise([2, 0]):
        made = stream.made(stream.code(z, y[[2, 0]]), y[[2, 0]])
    assert made.shape == (2, *updater.spec.image) and updater.spec.fit == "pad"
    assert torch.equal(updater.spec.to_native(made), stream.images([2, 0]))


def test_classes_come_as_often_as_in_the_data(make_updater: Make) -> None:
    updater = make_updater("labelled")
    updater.spec = replace(updater.spec, marginal=(0.7, 0.3, 0.0))
    _, y = updater.latents(range(2000), seed=1)
    counts = Counter(y.tolist())
    assert counts.keys() == {0, 1} and 1300 < counts[0] < 1500
    assert torch.equal(updater.latents([1999, 3], seed=1)[1], y[[1999, 3]])
    updater.spec = replace(updater.spec, marginal=())  # a snapshot of before there was one
    _, y = updater.latents(range(600), seed=1)
    assert min(Counter(y.tolist()).values()) > 150


def test_classes_that_are_asked_for(make_updater: Make) -> None:
    updater = make_updater("labelled")
    several = torch.tensor([2, 0, 2, 1, 1])
    mixed = one_hot(several, 3, torch.zeros(()))
    z, _ = updater.latents(range(5), 0)
    for y, told in ((2, torch.full((5,), 2)), (several, several), (mixed, mixed)):
        images = samples(updater, 5, y=y)
        torch.testing.assert_close(images, updater.decode(z, told))
        pair = updater.sample_stream(0, y=y).labelled([3, 1])
        torch.testing.assert_close(pair[0], images[[3, 1]])
        assert torch.equal(pair[1], told[[3, 1]])
    torch.testing.assert_close(samples(updater, 5, y=mixed), samples(updater, 5, y=several))
    half = samples(updater, 5, y=mixed.roll(1, 1) / 2 + mixed / 2)
    assert not torch.allclose(half, samples(updater, 5, y=mixed))
    # the rest of the last group is drawn
    grouped = samples(updater, 5, y=mixed, statistics="batch")
    torch.testing.assert_close(grouped, samples(updater, 5, y=mixed), rtol=1e-4, atol=1e-5)


def test_a_group_is_of_all_classes_whichever_is_asked_for(make_updater: Make) -> None:
    """As the sheets of BigGAN-PyTorch, by PyTorch's own running statistics of the drawn classes."""
    settings = {"architecture": "quick", "width": 0.1, "statistics": "batch", "batch_size": 16}
    updater = make_updater("biggan", side=16, ema_decay=0, n_dis=1, **settings)
    updater.update()
    (z, drawn), y = updater.latents(range(16, 32), 3), torch.full((16,), 2)
    gen = deepcopy(updater.gen).eval()
    norms = [m for m in gen.modules() if isinstance(m, nn.BatchNorm2d)]
    sizes: dict[nn.Module, int] = {}
    for norm in norms:
        norm.momentum = 1.0
        norm.train().register_forward_hook(lambda m, x, _: sizes.update({m: x[0][:, 0].numel()}))
    mixed = gen(z, drawn).detach()
    for norm in norms:  # which is unbiased
        norm.eval().running_var.mul_(1 - 1 / sizes[norm])
    expected = gen(z, y).detach()
    to_native, close = updater.spec.to_native, {"rtol": 1e-4, "atol": 1e-4}
    images = updater.sample_stream(3, y=2).images(range(16, 32))
    torch.testing.assert_close(images, to_native(expected), **close)
    several = torch.cat([torch.arange(20) % 3, torch.tensor([2, 2, 1])])
    torch.testing.assert_close(samples(updater, 23, 3, y=several)[20:22], images[4:6], **close)
    whole = updater.sample_stream(3, y=one_hot(torch.full((32,), 2), 3, z)).images([31])
    torch.testing.assert_close(whole[0], images[15], **close)
    # what would have been drawn anyway is as the group makes it
    asked = updater.latents(range(32), 3)[1]
    torch.testing.assert_close(samples(updater, 32, 3, y=asked)[16:], to_native(mixed), **close)


def test_classes_may_be_asked_for_by_name(make_updater: Make) -> None:
    updater = make_updater("labelled")
    told = torch.tensor([2, 0, 1, 2, 0])
    for y in (["c", "a", 1, "C", "0"], ("c", 0, "b", "2", "a")):
        assert torch.equal(samples(updater, 5, y=y), samples(updater, 5, y=told))
    assert torch.equal(samples(updater, 5, y="b"), samples(updater, 5, y=1))


@pytest.mark.parametrize(
    ("name", "y", "sentence"),
    [
        ("dcgan", "Sandal", "told nothing but its latents"),
        ("dcgan", torch.zeros(4, 3), "told nothing but its latents"),
        ("dcgan", 1, "told nothing but its latents"),
        ("labelled", 3, "y is 3: there are classes 0 to 2"),
        ("labelled", torch.tensor([0, 1, 2, -1]), "there are classes 0 to 2"),
        ("labelled", torch.zeros(4, 2), r"y is \(4, 2\): give \(n, 3\)"),
        ("labelled", torch.zeros(4, 1, dtype=torch.int64), "y is no class"),
        ("labelled", 0.5, "y is no class"),
        ("labelled", torch.zeros(3, dtype=torch.int64), "y is of 3 samples, and 4 are asked for"),
        ("labelled", "d", "There is no class 'd': there are a, b and c, or their numbers 0 to 2"),
        ("labelled", ["a", "a", "a", 3], "There is no class '3'"),
        ("labelled", ["a", "b"], "y is of 2 samples, and 4 are asked for: give one for each, or"),
        ("dropped", "Sandal", r"give y as \(n, 1, H, W\)"),
        ("dropped", 1, r"give y as \(n, 1, H, W\)"),
        ("dropped", torch.zeros(4, 3, 32, 32), r"give y as \(n, 1, H, W\)"),
    ],
)
def test_a_y_that_does_not_fit(name: str, y: Any, sentence: str, make_updater: Make) -> None:
    updater = make_updater(name)
    with pytest.raises(UserError, match=sentence):
        list(updater.sample(4, 0, y=y))


def test_sources_are_read_for_these_samples_alone_and_come_once(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("dropped")
    read: list[int] = []
    condition_at = updater.held_out.condition_at

    def count(index: Tensor) -> Any:
        read.extend(index.tolist())
        return condition_at(index)

    monkeypatch.setattr(updater.held_out, "condition_at", count)
    updater.sample_stream(5, statistics="running").images([3])
    assert len(read) == 1
    updater.latents(range(64), 5)
    first, second = read[1:33], read[33:]
    assert sorted(first) == sorted(second) == list(range(32)) and first != second
    assert read[0] == first[3]
    updater.held_out = None
    with pytest.raises(UserError, match="translates images"):
        updater.latents([0], 5)


def test_codes_are_truncated_by_the_network_that_samples(make_updater: Make) -> None:
    updater = make_updater("styled", ema_decay=0.9)
    for _ in range(2):
        updater.update()
    average = updater.average
    assert torch.equal(average.w_mean, updater.gen.w_mean) and average.w_mean.any()
    assert not torch.equal(average.mapping[0].weight, updater.gen.mapping[0].weight)
    z, _ = updater.latents(range(3), 0)
    w = average.mapping(z)
    by_hand = updater.spec.to_native(average.draw(average.w_mean + 0.3 * (w - average.w_mean)))
    torch.testing.assert_close(samples(updater, 3, truncation=0.3), by_hand.detach())
    stream = updater.sample_stream(0, truncation=0.3)
    torch.testing.assert_close(stream.draw(stream.code(z)), by_hand.detach())


def test_images_of_a_stage_are_shown_at_full_size() -> None:
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    expected = x.repeat_interleave(3, 2).repeat_interleave(3, 3)
    assert torch.equal(full_size(x, (1, 6, 6)), expected)
    assert full_size(expected, (1, 6, 6)) is expected


def test_a_stage_is_not_cropped(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    updater = make_updater("dcgan")  # 28x28, padded to 32x32
    updater.generate = lambda gen, code, y: gen(code, y)[..., ::8, ::8]
    (images,) = updater.sample(2, 0)
    assert images.shape == (2, 1, 28, 28)
    assert torch.equal(images[..., 6:14, 6:14], images[..., 6:7, 6:7].expand(-1, -1, 8, 8))


def test_sources_of_another_size_give_images_of_another_size(make_updater: Make) -> None:
    updater = make_updater("dropped")
    y = torch.zeros(3, 1, 48, 64)
    z, _ = updater.latents(range(3), 0)
    assert updater.decode(z, y).shape == (3, 1, 48, 64)


def test_training_does_not_depend_on_the_statistics_of_sampling(make_updater: Make) -> None:
    states = []
    for statistics in ("running", "standing:2", "batch"):
        updater = make_updater("dcgan", statistics=statistics)
        for _ in range(2):
            updater.update()
            list(updater.sample(5, 0))
        states.append(updater.state_dict())
    for state in states[1:]:
        assert all(torch.equal(t, states[0][name]) for name, t in state.items())


def test_statistics_that_are_none(make_updater: Make) -> None:
    with pytest.raises(UserError, match="statistics is 'mine', but should be running, batch"):
        make_updater("dcgan").sample_stream(0, statistics="mine")
