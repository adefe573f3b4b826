"""Settings and networks that fit the data, and what a run's settings make of its loader."""

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.data.loader import WORKERS
from ganlib.common.data.spec import POINTS, DataSpec
from ganlib.common.errors import UserError
from ganlib.common.query import open_dataset
from ganlib.registry import algorithms
from ganlib.runs.grid import open_grid, plan
from ganlib.runs.run import build, check_architecture, fitted, gather, open_data
from ganlib.runs.settings import resolve
from ganlib.training.device import devices

SMALL: dict[str, Any] = {"dataset": "ring8", "max_iter": 2, "width": 0.1, "gpu": -1}
SMALL |= {"evaluation_interval": 0, "sample_interval": 0, "tensorboard": False, "batch_size": 8}
SPEC = DataSpec(POINTS, POINTS, n_classes=8)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", algorithms.names())
def test_points_take_their_own_architecture_unless_another_is_given(name: str) -> None:
    settings = resolve({"algorithm": name})
    usual = settings.algorithm.architecture
    choices = get_args(type(settings.algorithm).model_fields["architecture"].annotation)
    own = "mlp" if "mlp" in choices else usual
    for shape, expected in ((POINTS, own), ((1, 28, 28), usual), ((2, 16, 16), usual)):
        assert fitted(settings, shape, 100, CPU).algorithm.architecture == expected
    quick = fitted(gather({"algorithm": name, "preset": "quick"}), POINTS, 100, CPU)
    assert own != "mlp" or quick.algorithm.architecture == own
    given = resolve({"algorithm": name, "architecture": usual})
    assert fitted(given, POINTS, 100, CPU) == given
    for one in choices if own == "mlp" else ():
        asked = resolve({"algorithm": name, "architecture": one})
        try:
            check_architecture(asked, SPEC)
        except UserError as error:
            assert one != "mlp" and f"The architecture '{one}' of {name} is for images" in str(
                error
            )


def test_what_is_taken_is_recorded_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    model = ganlib.train(algorithm="dcgan", **SMALL)
    assert model.settings["architecture"] == "mlp"
    recorded = yaml.safe_load((model.out / "config.yaml").read_text())
    assert recorded["architecture"] == "mlp"
    assert ganlib.load(model.out).sample(3).shape == (3, 2, 1, 1)
    again = ganlib.train(algorithm="dcgan", resume="auto", out=model.out / "x", **SMALL)
    assert again.settings["architecture"] == "mlp"
    (model.out / "DONE").unlink()
    longer = ganlib.train(algorithm="dcgan", resume="auto", **{**SMALL, "max_iter": 3})
    assert longer.out.samefile(model.out)


def test_one_that_cannot_be_is_one_sentence_and_leaves_nothing() -> None:
    with pytest.raises(UserError) as told:
        ganlib.train(algorithm="sngan", architecture="resnet", **SMALL)
    assert str(told.value) == (
        "The architecture 'resnet' of sngan is for images, and ring8 holds points: leave "
        'architecture= out, or give architecture="mlp".'
    )
    assert not list(Path().iterdir())


@pytest.mark.parametrize("name", ["dcgan", "wgan", "lsgan", "pgn"])
def test_images_of_one_pixel_are_one_sentence_too(name: str) -> None:
    asked = resolve({"algorithm": name, "dataset": "dots.h5"})
    pixel = DataSpec((1, 1, 1), (1, 1, 1), source=(4, 1, 1), frames=1, source_frames=4)
    with pytest.raises(UserError, match="for images, and dots.h5 holds single pixels: give --size"):
        check_architecture(asked, pixel if name == "pgn" else DataSpec((1, 1, 1), (1, 1, 1)))
    dense = resolve({"algorithm": "gan"})  # whose networks take it
    check_architecture(dense, DataSpec((1, 1, 1), (1, 1, 1)))


def test_a_preset_may_have_settings_for_colour_below_what_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preset = {"width": 0.5, "max_iter": 10, "colour": {"width": 0.25, "adam_alpha": 1e-3}}
    monkeypatch.setattr("ganlib.runs.settings.preset_of", lambda name, preset_name: dict(preset))
    settings = gather({"algorithm": "dcgan", "preset": "quick", "adam_alpha": 5e-4})
    grey, colour = (fitted(settings, (c, 32, 32), 100, CPU).algorithm for c in (1, 3))
    assert (grey.width, grey.max_iter, grey.adam_alpha) == (0.5, 10, 5e-4)
    assert (colour.width, colour.max_iter, colour.adam_alpha) == (0.25, 10, 5e-4)


@pytest.mark.parametrize("name", algorithms.names())
def test_the_quick_preset_of_colour_holds_settings_of_its_method(name: str) -> None:
    settings = gather({"algorithm": name, "preset": "quick"})
    assert type(fitted(settings, (3, 64, 64), 100, CPU).algorithm) is algorithms[name].config


@pytest.mark.parametrize(("algorithm", "n_dis"), [("dcgan", {}), ("wgan_gp", {"n_dis": 3})])
def test_an_epoch_shows_every_image_once(
    algorithm: str, n_dis: dict[str, int], toy_file: Path
) -> None:
    given = {**SMALL, **n_dis, "algorithm": algorithm, "dataset": str(toy_file), "epochs": 1.5}
    del given["max_iter"]
    model = ganlib.train(**given)
    wanted, images = 1.5 * len(open_dataset(str(toy_file))), model.updater.images
    assert 0 <= images - wanted < 8 * n_dis.get("n_dis", 1)
    assert (model.settings["epochs"], model.settings["max_iter"]) == (None, model.updater.iteration)
    longer = ganlib.train(resume=str(model.out), epochs=3)
    assert 0 <= longer.updater.images - 2 * wanted < 8 * n_dis.get("n_dis", 1)


def has_bf16(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)


@pytest.mark.parametrize(
    ("algorithm", "fast", "asked", "wanted"),
    [
        ("dcgan", True, "auto", "bf16"),
        ("dcgan", False, "auto", "tf32"),
        ("vae", True, "auto", "tf32"),  # nobody has looked whether it learns
        ("dcgan", True, "tf32", "tf32"),
        ("vae", False, "bf16", "bf16"),
    ],
)
def test_auto_takes_bf16_where_it_is_fast_and_known_to_do(
    algorithm: str, fast: bool, asked: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_bf16(monkeypatch, fast)
    settings = resolve({"algorithm": algorithm, "precision": asked})
    assert fitted(settings, (1, 28, 28), 100, CPU).run.precision == wanted


def test_auto_is_not_for_other_networks_nor_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    has_bf16(monkeypatch, True)
    settings = resolve({"algorithm": "dcgan", "precision": "auto"})
    assert fitted(settings, POINTS, 100, CPU).run.precision == "tf32"
    assert fitted(settings, (1, 28, 28), 100, torch.device("mps")).run.precision == "tf32"


@pytest.mark.parametrize(
    ("capability", "name", "found"),
    [((8, 0), "dcgan", "bf16"), ((7, 5), "dcgan", "tf32"), ((9, 0), "wgan_gp", "tf32")],
)
def test_auto_on_a_gpu(
    capability: tuple[int, int], name: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_bf16(monkeypatch, False)  # of the CPU, which does not matter then
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    settings = resolve({"algorithm": name, "precision": "auto"})
    assert fitted(settings, (1, 28, 28), 100, torch.device("cuda")).run.precision == found


def test_what_auto_came_to_is_said_recorded_and_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    has_bf16(monkeypatch, True)
    small = {**SMALL, "dataset": "fashion_mnist", "precision": "auto"}
    model = ganlib.train(algorithm="dcgan", **small)
    assert "cpu, bf16; parameters" in " ".join(capsys.readouterr().err.split())
    assert yaml.safe_load((model.out / "config.yaml").read_text())["precision"] == "bf16"
    planned = plan("dcgan", "0", small)
    for fast, home in ((True, "grid"), (False, "grid-2"), (True, "grid")):
        has_bf16(monkeypatch, fast)
        assert open_grid(planned, [], None, None).folder.name == home  # float32 makes other runs


@pytest.mark.parametrize("name", algorithms.names())
def test_what_is_known_of_bf16_is_of_architectures_that_there_are(name: str) -> None:
    config = algorithms[name].config
    assert set(config.learns_in_bf16) <= set(
        get_args(config.model_fields["architecture"].annotation)
    )


@pytest.mark.skipif(WORKERS == 0, reason="no safe forks here")
@pytest.mark.parametrize(
    ("given", "ranks", "number"),
    [({}, 1, 6), ({}, 3, 2), ({"accumulate": 4}, 1, 1), ({"workers": 3}, 1, 3), ({}, 9, 1)],
)
def test_readers_share_the_cores_of_this_machine(
    given: dict[str, Any],
    ranks: int,
    number: int,
    toy_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the other processes of a job, and with the other passes over a batch."""
    monkeypatch.setattr(devices, "cores", lambda: 6)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
    settings = gather(
        {"algorithm": "dcgan", "dataset": str(toy_file), "width": 0.05, "evaluation_interval": 0}
        | given
    )
    updater = build(settings, *open_data(settings), torch.device("cpu"))
    assert updater.data.workers == number


@pytest.mark.parametrize(
    ("algorithm", "given", "wanted"),
    [
        ("pix2pix", {"downs": 9, "jitter": 0}, 512),
        ("pix2pixhd", {"downs": 9}, 2048),
        ("stylegan2", {"architecture": "paper256"}, 256),
        ("progressive", {"max_resolution": 64}, 64),
    ],
)
def test_images_are_not_brought_to_sizes_out_of_proportion(
    algorithm: str, given: dict[str, Any], wanted: int
) -> None:
    x = torch.zeros(4, 1, 16, 16, dtype=torch.uint8)
    small = DataSet("x", x, source=x)
    settings = gather({"algorithm": algorithm, **given})
    sentence = f"{algorithm} brings images of 16x16 to {wanted}x{wanted} with these settings: cho"
    with pytest.raises(UserError, match=sentence):
        build(settings, small, None, torch.device("cpu"))


@pytest.mark.parametrize("algorithm", ["dcgan", "fastgan", "vae"])
def test_one_image_is_a_sentence_but_for_translators(algorithm: str) -> None:
    one = DataSet("x", x := torch.zeros(1, 1, 32, 32, dtype=torch.uint8), source=x)
    with pytest.raises(UserError, match="'x' is one image, .* give some hundred"):
        build(resolve({"algorithm": algorithm}), one, None, CPU)
    build(resolve({"algorithm": "pix2pix", "width": 0.05}), one, None, CPU)


@pytest.mark.parametrize("algorithm", ["pix2pix", "pix2pixhd"])
def test_halvings_have_an_end(algorithm: str) -> None:
    with pytest.raises(UserError, match="downs is 1000000000, but should be less than or equal"):
        gather({"algorithm": algorithm, "downs": 10**9})
