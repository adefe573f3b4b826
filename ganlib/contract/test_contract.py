"""What every algorithm promises. `--algorithm NAME --plugin-dir DIR` checks one of your own."""

import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path

from ganlib.common.layers import evaluating
from ganlib.common.layers.basic import one_hot
from ganlib.common.pictures import to_uint8
from ganlib.contract.tape import prepare, record
from ganlib.contract.tour import NEAR, first_of_each, mistakes, some, tour, unread, waiting
from ganlib.registry import algorithms
from ganlib.sampling.translation.translator import Translator, grown
from ganlib.speed.graph import WARM_UP, Graphs
from ganlib.training.bases.predicting import Predicting
from ganlib.training.doctor.figures import Figures
from ganlib.training.update.steps import NonFiniteError, parameters_of

Make = Callable[..., Any]
Hint = Callable[[str], None]


def tensors(state: Any) -> dict[str, Tensor]:
    """Every tensor in nested dicts and lists, by its path."""
    leaves, _ = tree_flatten_with_path(state)
    plain = {keystr(path): list(x.encode()) if isinstance(x, str) else x for path, x in leaves}
    return {path: torch.as_tensor(x) for path, x in plain.items()}


def assert_same(a: Any, b: Any) -> None:
    """Equal to the last bit, moments and buffers too."""
    a, b = tensors(a), tensors(b)
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different, f"Not the same to the last bit: {some(different)}."


def copied(state: Any) -> Any:
    """Through a file's bytes and back, as a snapshot does."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def brief(algorithm: str) -> dict[str, Any]:
    """Two steps of the discriminator are as good as five where each is a loop's repetition."""
    n_dis = algorithms[algorithm].config.model_fields.get("n_dis")
    return {} if n_dis is None else {"n_dis": min(2, n_dis.default)}


@pytest.mark.parametrize("shape", [(1, 28), (1, 32), (3, 32)])
def test_two_updates_are_finite(algorithm: str, shape: tuple[int, int], make_updater: Make) -> None:
    updater = make_updater(algorithm, *shape)
    for _ in range(2):
        observation = updater.update()
    assert observation
    for name, value in observation.items():
        assert value.dim() == 0 and not value.requires_grad, name
        assert torch.isfinite(value), name
    updater.check_finite()
    assert updater.iteration == 2 and updater.images > 0


def test_every_parameter_moves_by_its_own_loss_alone(
    algorithm: str, make_updater: Make, hint: Hint
) -> None:
    found = tour(algorithm, make_updater)
    unmoved = algorithms[algorithm].unmoved(found.config)
    if wrong := list(mistakes(found, unmoved)):
        pytest.fail(" ".join(wrong), pytrace=False)
    if names := waiting(found, unmoved):
        hint(
            f"{some(names)} has not moved, by a gradient of exactly 0: so does the last bias of a "
            "discriminator while all logits are inside of a hinge's margin. Name what never moves "
            "in Algorithm(unmoved=...), with the reason."
        )


def test_random_numbers_are_the_updaters_own(algorithm: str, make_updater: Make) -> None:
    """The parts of a batch, on GPUs or in micro-batches, have rows of what the whole one has."""
    if lines := sorted(tour(algorithm, make_updater).drawn):
        pytest.fail(
            f"Random numbers are drawn at {', '.join(lines)}: let them come from self.uniform(), "
            "self.normal(), self.labels() or self.hidden(), of which each part of a batch is given "
            "its own rows. torch's are for the inside of networks.",
            pytrace=False,
        )


def test_every_setting_is_read(algorithm: str, make_updater: Make, hint: Hint) -> None:
    """A hint and no more."""
    if names := unread(algorithm, tour(algorithm, make_updater)):
        hint(f"Nothing reads {', '.join(names)}: a setting that changes nothing.")


def test_no_images_pass_the_generator_twice(algorithm: str, make_updater: Make) -> None:
    """Running averages would move twice for them, and samples be normalised by other numbers."""
    updater = make_updater(algorithm)
    passed: dict[Any, list[Tensor]] = {}
    for layer in updater.gen.modules():
        if list(layer.buffers(recurse=False)):
            layer.register_forward_pre_hook(
                lambda layer, inputs: passed.setdefault(layer, []).append(inputs[0].clone())
            )
    updater.update()
    for inputs in passed.values():
        twice = any(torch.equal(a, b) for k, a in enumerate(inputs) for b in inputs[:k])
        assert not twice, "x_fake = self.gen(z) is for both networks: give D x_fake.detach()."


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_sampling_is_a_function_of_the_seed(
    algorithm: str, ema_decay: float, make_updater: Make
) -> None:
    updater = make_updater(algorithm, 3, 28, ema_decay=ema_decay)
    updater.update()
    whole = torch.cat(list(updater.sample(5, seed=1, batch_size=5)))
    parts = torch.cat(list(updater.sample(5, seed=1, batch_size=2)))
    other = torch.cat(list(updater.sample(5, seed=2, batch_size=5)))
    assert whole.shape == (5, *updater.spec.native) and whole.dtype == torch.float32
    assert whole.abs().max() <= 1
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-5)
    alone = updater.sample_stream(1).images([3])
    torch.testing.assert_close(whole[3:4], alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole, other)


def test_sampling_does_not_disturb_training(algorithm: str, make_updater: Make) -> None:
    quiet, busy = (make_updater(algorithm, **brief(algorithm)) for _ in range(2))
    measure = Figures(busy, busy.data.data)
    for _ in range(2):
        list(busy.sample(3, seed=5))
        busy.pictures(0)
        assert all(map(math.isfinite, measure().numbers.values()))
        torch.rand(7)
        quiet.update()
        busy.update()
    assert_same(quiet.state(), busy.state())


def test_resume_is_bitwise(algorithm: str, make_updater: Make) -> None:
    """Also just before the first iteration of each phase."""
    settings = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": 2 * NEAR, **brief(algorithm)}
    straight = make_updater(algorithm, **settings)
    straight.update()
    for first in first_of_each(straight.phase, [2]):
        straight.iteration = first - 1
        straight.update()
        state = copied(straight.state())
        resumed = make_updater(algorithm, **settings)
        resumed.load_state(state)
        assert_same(resumed.state(), state)
        for _ in range(2):
            assert_same(straight.update(), resumed.update())
        assert_same(straight.state(), resumed.state())


def test_the_seed_decides(algorithm: str, make_updater: Make) -> None:
    a, b, c = (make_updater(algorithm, seed=seed, **brief(algorithm)) for seed in (0, 0, 1))
    for updater in (a, b, c):
        updater.update()
    assert_same(a.state(), b.state())
    modules = c.state()["modules"]
    assert any(not torch.equal(t, modules[name]) for name, t in a.state()["modules"].items())


def test_an_update_never_waits_for_the_host(
    algorithm: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules that let a whole update be captured as a CUDA graph: nothing reads a value."""
    updater = make_updater(algorithm)
    updater.update()

    def refuse(self: Tensor, *_: Any) -> Any:
        raise AssertionError("an update read a tensor's value")

    for name in ("item", "tolist", "numpy", "__bool__", "__float__", "__int__", "cpu"):
        monkeypatch.setattr(Tensor, name, refuse)
    updater.update_core()


def test_a_captured_update_is_the_eager_one(
    algorithm: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bitwise, by the stand-in for a CUDA graph that tape.py explains."""
    settings = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": 10, **brief(algorithm)}
    eager, captured = make_updater(algorithm, **settings), make_updater(algorithm, **settings)
    prepare(monkeypatch, eager, captured)
    captured.perform = Graphs(captured, record, pytest.fail)
    for _ in range(WARM_UP + 2):  # captured and replayed, and replayed with other batches
        a, b = eager.update(), captured.update()
        assert_same(a, b)
    assert_same(eager.state(), captured.state())


def test_passes_over_parts_of_a_batch_stay_one_update(algorithm: str, make_updater: Make) -> None:
    """Two of them see the whole batch, and leave one finite, repeatable state."""
    whole, parts, again = (make_updater(algorithm, **brief(algorithm)) for _ in range(3))
    parts.split(2)
    again.split(2)
    whole.update()
    for _ in range(2):
        assert_same(parts.update(), again.update())
    assert_same(parts.state(), again.state())
    assert parts.images == 2 * whole.images
    parts.check_finite()


def labels_of(updater: Any) -> dict[str, list[Tensor]]:
    """What networks will be given, by the network's name, that are numbers of classes."""
    found: dict[str, list[Tensor]] = {name: [] for name in updater.trained}

    def note(name: str, values: Any) -> None:
        found[name] += [t for t in values if isinstance(t, Tensor) and t.dtype == torch.int64]

    for name, network in updater.trained.items():
        network.register_forward_pre_hook(
            lambda _, args, more, name=name: note(name, [*args, *more.values()]), with_kwargs=True
        )
    return found


def test_labels_reach_only_a_method_that_asks_for_them(algorithm: str, make_updater: Make) -> None:
    updater = make_updater(algorithm)
    labels = labels_of(updater)
    updater.update()
    asks = updater.config.condition == "labels"
    assert bool(labels["gen"]) == asks
    assert asks or not any(labels.values())


def test_labels_matter_to_a_method_that_asks_for_them(algorithm: str, make_updater: Make) -> None:
    """Of another class are another image, another verdict of a discriminator that is told, and
    another step of training; and a class is wholly itself where it is one of a mixture.
    """
    updater = make_updater(algorithm)
    if updater.config.condition != "labels":
        return
    labels, data, n = labels_of(updater), updater.data.data, updater.spec.n_classes
    for _ in range(2):  # an embedding may start at 0
        updater.update()
    x, y = next(updater.data)
    z, other = updater.gen.make_hidden(len(y)), (y + 1) % n
    ask = {"gen": lambda y: updater.decode(z, y), "dis": lambda y: updater.dis(x, y)}
    for name in ask if labels.get("dis") else ["gen"]:
        with evaluating(updater.get_submodule(name)), torch.no_grad():
            right, wrong, mixed = (ask[name](t) for t in (y, other, one_hot(y, n, z)))
        assert any(not torch.equal(t, tensors(wrong)[k]) for k, t in tensors(right).items()), name
        torch.testing.assert_close(mixed, right, rtol=1e-4, atol=1e-5)
    first, second = (
        make_updater(algorithm),
        make_updater(algorithm, data=replace(data, y=data.y.roll(1))),
    )
    assert_same(first.state(), second.state())
    first.update()
    second.update()
    moved = second.state()["modules"]
    assert any(not torch.equal(t, moved[k]) for k, t in first.state()["modules"].items())


def test_a_translator_takes_sources_of_the_sizes_that_it_says(
    algorithm: str, make_updater: Make
) -> None:
    """`multiple` of the generator: images of other sources come out in proportion to them."""
    updater = make_updater(algorithm)
    if not updater.config.translates or not updater.sampling_gen.multiple:
        return
    translator, data = Translator(updater), updater.held_out.data
    source = data.source[torch.tensor([0])]
    height, width = source.shape[2:]
    multiple = updater.sampling_gen.multiple
    y = grown(source, (height + multiple, width + 2 * multiple))[0]
    x = translator(y)
    sides = [-(-n * by // 1) for n, by in zip(y.shape[1:], translator.scale, strict=True)]
    assert x.shape == (updater.spec.image[0], *sides) and bool(x.isfinite().all())


def test_a_roll_out_begins_with_the_samples_and_goes_on(algorithm: str, make_updater: Make) -> None:
    """Of a method that predicts frames."""
    updater = make_updater(algorithm)
    if not isinstance(updater, Predicting):
        return
    stream, frames = updater.sample_stream(3), updater.spec.frames
    index = stream.held(range(5))
    samples = to_uint8(stream.images(range(5))).int()
    found = updater.predicted(stream, index, frames + 2)
    channels, *size = samples.shape[1:]
    assert found.shape == (5, frames + 2, channels // frames, *size)
    # other convolutions may be chosen for other shapes
    assert (found[:, :frames].flatten(1, 2) - samples).abs().max() <= 1
    assert torch.equal(updater.predicted(stream, index, frames), found[:, :frames])


def test_weights_stop_at_the_first_nan(algorithm: str, make_updater: Make) -> None:
    updater = make_updater(algorithm)
    updater.update()
    before = {name: p.detach().clone() for name, p in updater.named_parameters()}
    network = next(iter(updater.optimizer))
    poisoned = parameters_of(updater.optimizer[network])[0].sum() * torch.nan
    updater.clock.fill_(41)
    updater.step(**{network: poisoned})
    updater.update()
    for name, p in updater.named_parameters():
        assert torch.equal(p.detach(), before[name]), name
    with pytest.raises(NonFiniteError, match=f"loss_{network} .* at iteration 41"):
        updater.check_finite()


def lacks(algorithm: str) -> list[str]:
    """Of an idea, a paper and a README those that are not there, in words: "no README.md"."""
    entry = algorithms.check(algorithm)
    idea, _, paper = algorithms.describe(algorithm).partition("\n\n")
    readme = entry.source is None or (entry.source.parent / "README.md").is_file()
    there = {
        "no idea in a sentence at the start of its docstring": bool(idea),
        "no paper with its URL in its docstring, after an empty line": "http" in paper,
        "no README.md": readme,
    }
    return [words for words, found in there.items() if not found]


def test_the_folder_explains_itself(algorithm: str, hint: Hint) -> None:
    """A hint and no more: nothing that others rely on breaks without it."""
    missing = lacks(algorithm)
    if missing:
        hint(f"{algorithm} has {', and '.join(missing)}.")
