"""ganlib evaluate."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image
from tiny_extractor import tiny_extractor
from torchvision.models import alexnet

import ganlib
import ganlib.evaluation.extractors
from ganlib.commands.scores import self_test, targets
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.common.query import DataQuery, open_dataset
from ganlib.evaluation import Score, differences, evaluate
from ganlib.evaluation.comparison.table import figures
from ganlib.evaluation.extractors.base import make_extractor
from ganlib.evaluation.metrics import cas
from ganlib.evaluation.pairs import segmenter
from ganlib.evaluation.statistics import references
from ganlib.training.scores import pairs

Make = Callable[..., Path]
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def plugin_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder with the extractor `tiny`, forgotten after the test."""
    with tiny_extractor(tmp_path) as folder:
        yield folder


@pytest.fixture
def score(run: Run, plugin_dir: Path) -> Callable[..., dict[str, Score]]:
    """score(TARGET, ...): the scores that `evaluate` writes, in the features of `tiny`."""

    def call(*arguments: Any, n: int = 300) -> dict[str, Score]:
        options = ["--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", n, "--device", "cpu"]
        result = run("evaluate", *arguments, *options, "--out", "scores.json")
        assert result.exit_code == 0, (result.output, result.exception)
        record = json.loads(Path("scores.json").read_text())
        return {name: Score.from_dict(name, score) for name, score in record["scores"].items()}

    return call


@pytest.fixture
def snapshot(make_snapshot: Make, toy_file: Path) -> Path:
    """A snapshot in the folder of a run on toy data."""
    return make_snapshot(
        dataset=str(toy_file), ema_decay=0.5, extractor="tiny", evaluation_images=20
    )


def values(scores: dict[str, Score]) -> dict[str, tuple[float, float | None]]:
    return {name: (score.value, score.std) for name, score in scores.items()}


def refused(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_the_same_images_get_the_same_scores(
    run: Run, score: Any, snapshot: Path, toy_file: Path
) -> None:
    ours = score(snapshot)
    assert set(ours) >= {
        "IS-tiny300",
        "FD-tiny300-train",
        "FD-tiny300-test",
        "KD-tiny300-train",
        "precision-tiny300-train",
        "duplicates-tiny300-train",
    }
    for out in ("folder", "array.npz"):
        assert run("sample", snapshot, "-n", 300, "--out", out).exit_code == 0
        theirs = score(out, "--dataset", toy_file)
        assert values(theirs) == values(ours)
        assert theirs["IS-tiny300"].protocol.weights == "given"


def test_the_protocol_says_where_samples_come_from(score: Any, snapshot: Path) -> None:
    plain = score(snapshot, "--metrics", "fid")["FD-tiny300-train"]
    protocol = plain.protocol
    assert (protocol.weights, protocol.bn_mode, protocol.seed) == ("ema", "running", 0)
    assert (protocol.extractor, protocol.n_generated, protocol.n_reference) == ("tiny", 300, 32)
    other = score(snapshot, "--metrics", "fid", "--seed", 1)["FD-tiny300-train"]
    assert other.value != plain.value and other.protocol.hash == protocol.hash
    short = ("--truncation", 0.5, "--precision", "bf16", "--channels-last")
    changed = score(snapshot, "--metrics", "fid", *short)["FD-tiny300-train"]
    assert changed.value != plain.value and changed.protocol.hash != protocol.hash
    assert changed.protocol.truncation == 0.5
    assert changed.protocol.precision == "bf16, channels_last"


def test_the_protocol_says_by_which_statistics(run: Run, score: Any, snapshot: Path) -> None:
    plain = score(snapshot, "--metrics", "fid")["FD-tiny300-train"]
    same = score(snapshot, "--metrics", "fid", "--statistics", "running")["FD-tiny300-train"]
    assert (same.value, same.protocol.hash) == (plain.value, plain.protocol.hash)
    for statistics in ("standing:3", "batch"):
        options = ("--metrics", "fid", "--statistics", statistics)
        other = score(snapshot, *options)["FD-tiny300-train"]
        assert other.protocol.bn_mode == statistics and other.value != plain.value
        assert other.protocol.hash != plain.protocol.hash
    assert run("sample", snapshot, "-n", 5, "--out", "x.npz").exit_code == 0
    error = refused(run("evaluate", "x.npz", "--statistics", "batch", "--dataset", "x"))
    assert error == "--statistics is for a generator, and x.npz holds images."


def test_a_translator_is_scored_on_its_data(score: Any, small_snapshot: Make) -> None:
    path = small_snapshot("dropped")
    own = score(path, "--metrics", "fid", n=32)["FD-tiny32-train"]
    assert own.protocol.bn_mode == "image"  # the method's own is batch, of a translator alone
    Path("data.h5").rename("moved.h5")
    there = score(path, "--metrics", "fid", "--dataset", "moved.h5", n=32)["FD-tiny32-train"]
    assert there.value == own.value
    masked = score(path, "--metrics", "fid", "--dataset", "moved.h5", "--source", "masked", n=32)
    assert masked["FD-tiny32-train"].value != own.value
    assert differences(masked["FD-tiny32-train"].protocol, own.protocol) == [
        "source: masked, a hole of half the sides by seed 0 against none"
    ]


def test_translations_stand_beside_what_costs_nothing(
    score: Any, small_snapshot: Make, run: Run, plugin_dir: Path, tmp_path: Path
) -> None:
    path = small_snapshot("superres")
    found = score(path, "--metrics", "fid")
    assert {"FD-tiny32-train", "L1", "PSNR", "SSIM", "PSNR-Y"} <= found.keys()
    for name in ("FD-tiny32-train", "L1", "PSNR"):
        assert list(found[name].more["beside"]) == ["bicubic", "mean image"]
    assert found["L1"].protocol.n_generated == 32  # each source once, of however many asked for
    options = ("--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", 5, "--no-save")
    table = run("evaluate", path, "--metrics", "fid", *options).output
    assert "bicubic" in table and "mean image" in table
    weights = tmp_path / "alexnet.pth"
    torch.save({f"features.{k}": t for k, t in alexnet().features.state_dict().items()}, weights)
    perceived = score(path, "--metrics", "fid", "--lpips-weights", weights, n=6)
    assert 0 < perceived["LPIPS"].value < 2
    assert perceived["LPIPS"].protocol.extractor == "alexnet"


def test_no_split_is_opened_or_read_twice(
    score: Any, small_snapshot: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though sources, real images and what belongs to sources are of one test split."""
    path = small_snapshot("superres")
    data = read_hdf5(Path("data.h5"), "train")
    write_hdf5(Path("data.h5"), data, replace(data, x=255 - data.x[torch.arange(len(data))]))
    opened, read = [], []
    open_, digest = DataQuery.open, references.pixel_digest

    def counted(query: DataQuery) -> DataSet:
        found = open_(query)
        opened.append(query.split)
        return found

    monkeypatch.setattr(DataQuery, "open", counted)
    for module in (evaluate, pairs):
        monkeypatch.setattr(
            module, "pixel_digest", lambda *args: read.append(args[2]) or digest(*args)
        )
    found = score(path, "--metrics", "fid", n=5)
    assert sorted(opened) == ["test", "train"]
    assert sorted(read) == ["reading test", "reading train"]
    digests = {found[name].protocol.reference_digest for name in ("FD-tiny5-test", "L1")}
    assert len(digests) == 1 and found["L1"].protocol.reference == "test"


def test_predicted_frames_stand_beside_the_last_one(score: Any, small_snapshot: Make) -> None:
    path = small_snapshot("frames")
    found = score(path, "--metrics", "fid")
    assert list(found)[-4:] == ["MSE-1", "SSIM-1", "sharpness-1", "GDL-1"] and "L1" in found
    assert found["MSE-1"].more["beside"].keys() == {"last frame"}
    # of all sequences, however many samples there are
    few = score(path, "--metrics", "fid", n=5)
    assert few["L1"].protocol.hash != found["L1"].protocol.hash
    assert few["MSE-1"] == found["MSE-1"]


def test_without_an_extractor_pairs_are_compared_all_the_same(
    run: Run, small_snapshot: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise UserError("There are no weights.")

    monkeypatch.setattr("ganlib.training.scores.scorer.make_extractor", missing)
    path = small_snapshot("frames")
    result = run("evaluate", path, "-n", 5, "-o", "scores.json", "--device", "cpu")
    assert result.exit_code == 0, result.exception
    assert "Warning: Nothing is scored in features. There are no weights." in result.output
    record = json.loads(Path("scores.json").read_text())
    assert {"L1", "PSNR", "MSE-1"} <= record["scores"].keys()
    model = ganlib.load(path, dataset="data.h5")
    with pytest.warns(UserWarning, match="scored in features. There are no weights."):
        found = model.evaluate(5)
    assert {name: score.to_dict() for name, score in found.items()} == record["scores"]
    for wanted in ({"metrics": ["fid"]}, {"extractor": "fashion"}, {"segmentation": True}):
        with pytest.raises(UserError, match="There are no weights"):
            model.evaluate(5, **wanted)
    monkeypatch.setattr("ganlib.evaluation.pairs.lpips.lpips", lambda *_: None)  # read first
    for more in (["--metrics", "fid"], ["--reference", "train"], ["--lpips-weights", "a.pth"]):
        assert refused(run("evaluate", path, "-n", 5, *more)) == "There are no weights."
    images = run("evaluate", "data.h5", "--dataset", "data.h5", "-n", 5)
    assert refused(images) == "There are no weights."


def test_lpips_is_for_translations(run: Run, snapshot: Path, plugin_dir: Path) -> None:
    options = ("--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", 5)
    error = refused(run("evaluate", snapshot, *options, "--lpips-weights", "alexnet.pth"))
    assert error.endswith("translates sources to which images belong: leave it out.")


def test_lengths_of_paths_and_intervals_are_asked_for(
    score: Any, run: Run, snapshot: Path, toy_file: Path
) -> None:
    found = score(snapshot, "--metrics", "fid,vendi", "--ppl", "--intervals", n=40)
    names = ["FD-tiny40-train", "FD-tiny40-test", "Vendi-tiny40", "PPL-tiny40"]
    assert list(found) == names
    assert all(one.error is not None and one.error > 0 for one in found.values())
    alone = score(snapshot, "--metrics", "fid", n=40)
    assert all(found[name].value == one.value for name, one in alone.items())
    error = refused(run("evaluate", toy_file, "--dataset", toy_file, "-n", 5, "--ppl"))
    assert "--ppl is for a generator that draws from latents" in error


def test_maps_are_found_again_in_what_was_made_of_them(
    score: Any, small_snapshot: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a network that is trained on real images, which are scored beside."""
    real = segmenter.trained
    monkeypatch.setattr(segmenter, "trained", lambda *args: real(*args, steps=5))
    path = small_snapshot("labelmap")
    found = score(path, "--metrics", "fid", "--segmentation")
    for name in ("pixel_accuracy", "mean_iou"):
        protocol = found[name].protocol
        assert 0 <= found[name].value <= 1 and 0 < found[name].more["real"]["value"] <= 1
        assert protocol.extractor == "segmenter" and len(protocol.extractor_digest) == 64
        assert protocol.n_generated == 32 and protocol.settings["classes"] == 3
    again = score(path, "--metrics", "fid", "--segmentation")
    assert again["mean_iou"].value == found["mean_iou"].value
    assert again["mean_iou"].protocol.hash == found["mean_iou"].protocol.hash
    assert "mean_iou" not in score(path, "--metrics", "fid")
    more = found["mean_iou"].more
    assert list(more["by_class"]) == list(more["real"]["by_class"]) == ["sky", "road", "car"]


def test_a_picture_of_what_is_found(
    run: Run, small_snapshot: Make, plugin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first group's map and real image, and the classes that it is of in the map's colours."""
    real = segmenter.trained
    monkeypatch.setattr(segmenter, "trained", lambda *args: real(*args, steps=5))
    path = small_snapshot("labelmap")
    options = ("--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", 8, "--metrics", "fid")
    told = run("evaluate", path, *options, "--segmentation-picture", "found.png")
    assert told.exit_code == 0, told.exception
    assert "mean_iou by class (real images): sky 0." in told.output
    picture = np.array(Image.open("found.png"))
    model = ganlib.load(path, dataset="data.h5")
    index, data = model.updater.sample_stream(0).held(range(1)), model.updater.held_out.data
    ids = data.source[index][0, 0].numpy()
    tile, top = 3 * 28, 2 * 14  # enlarged, below the titles
    parts = [picture[top : top + tile, k * (tile + 2) :][:, :tile] for k in range(5)]
    drawn, output, found, truth, found_there = (part[1::3, 1::3] for part in parts)
    grey = np.repeat(data.x[index][0, 0].numpy()[..., None], 3, 2)
    assert (truth == grey).all() and not (output == grey).all()
    colours = {int(k): tuple(drawn[ids == k][0]) for k in np.unique(ids)}
    assert all((drawn[ids == k] == colour).all() for k, colour in colours.items())
    assert len(set(colours.values())) == 3
    for part in (found, found_there):
        assert {tuple(c) for c in part.reshape(-1, 3)} <= set(colours.values())
    wrong = run("evaluate", path, *options, "--segmentation-picture", "found.jpg")
    assert refused(wrong).endswith("give the name of a .png file.")


SEGMENTING = pytest.mark.parametrize(
    "option", [("--segmentation",), ("--segmentation-picture", "found.png")]
)


@SEGMENTING
def test_segmentation_is_for_pairs(
    option: tuple[str, ...], run: Run, snapshot: Path, plugin_dir: Path
) -> None:
    options = ("--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", 5, *option)
    error = refused(run("evaluate", snapshot, *options))
    assert error.startswith(f"{option[0]} is for a generator that translates sources to which")


@SEGMENTING
def test_segmentation_is_for_maps(
    option: tuple[str, ...], run: Run, small_snapshot: Make, plugin_dir: Path
) -> None:
    options = ("--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", 5, *option)
    error = refused(run("evaluate", small_snapshot("superres"), *options))
    assert error.endswith(f"these data have none: leave {option[0]} out.")


@SEGMENTING
def test_segmentation_is_learned_from_training_images(
    option: tuple[str, ...], run: Run, small_snapshot: Make, plugin_dir: Path
) -> None:
    options = ("--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", 5, *option)
    error = refused(run("evaluate", small_snapshot("labelmap"), *options, "--reference", "data.h5"))
    assert error.startswith(f"{option[0]} trains on real training images")
    assert error.endswith("leave --reference out too.")


def test_what_takes_long_is_told_of_first(
    run: Run, snapshot: Path, plugin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("evaluate", snapshot, "--metrics", "fid", "-n", 20, "--plugin-dir", plugin_dir)
    assert "Features of" not in run(*arguments).stderr
    monkeypatch.setattr("ganlib.commands.scores.run.LONG", 0.0)
    told = run(*arguments).stderr
    assert "Features of 20 images at most, real ones once: about 0:00:00. With " in told
    assert "--channels-last it may be faster, by a protocol of its own." in told
    assert "it may be faster" not in run(*arguments, "--channels-last").stderr


def test_any_batch_size_gives_the_same_scores(score: Any, snapshot: Path) -> None:
    one, other = (score(snapshot, "--batch-size", size) for size in (300, 100))
    assert one.keys() == other.keys()
    for name in one:
        # a network's last bits depend on the batch, and a pixel may be rounded by them
        assert one[name].value == pytest.approx(other[name].value, rel=1e-2, abs=1e-3), name


def test_scores_of_a_run_join_its_file(score: Any, snapshot: Path) -> None:
    folder = snapshot.parent.parent
    scores = score(snapshot, n=20)
    assert not (folder / "scores.jsonl").exists()
    score(folder, n=20)
    score(folder, "--metrics", "is", n=30)
    first, second = read_lines(folder / "scores.jsonl")
    assert (first["iteration"], first["images"], first["seconds"]) == (7, None, None)
    assert first["scores"] == {name: score.to_dict() for name, score in scores.items()}
    assert list(second["scores"]) == ["IS-tiny30"]


def test_what_is_scored_otherwise_is_a_trial(
    run: Run, score: Any, snapshot: Path, toy_file: Path
) -> None:
    folder = snapshot.parent.parent
    own, tried = folder / "scores.jsonl", folder / "trials.jsonl"
    copyfile(snapshot, snapshot.with_name("best.pt"))
    for options in (
        ("--truncation", 0.5),
        ("--statistics", "batch"),
        ("--weights", "raw"),
        ("--seed", 1),
        ("--precision", "bf16"),
        ("--channels-last",),
        ("--dataset", "fashion_mnist", "--reference", "test"),
        ("--reference", toy_file),
        ("--size", 28),
    ):
        score(folder, "--metrics", "fid", *options, n=20)
        assert not own.exists() and len(read_lines(tried)) == 1, options
        tried.unlink()
    for options in (
        ("--seed", 0),
        ("--statistics", "running"),
        ("--weights", "ema"),
        ("--dataset", toy_file),
        ("--reference", "test"),
        ("--best",),
    ):
        score(folder, "--metrics", "fid", *options, n=20 if options[0] == "--seed" else 40)
        assert not tried.exists() and len(read_lines(own)) == 1, options
        own.unlink()
    score(folder, "--metrics", "fid", n=19)
    assert run("evaluate", folder, "--extractor", "fashion", "-n", 40).exit_code == 0
    assert not own.exists() and len(read_lines(tried)) == 2
    tried.unlink()
    score(folder, "--no-save", "--metrics", "fid", n=20)
    score(folder, "--no-save", "--truncation", 0.5, "--metrics", "fid", n=20)
    assert not own.exists() and not tried.exists()


def test_weights_are_chosen_and_stamped(run: Run, score: Any, snapshot: Path) -> None:
    ema, raw = (
        score(snapshot, "--metrics", "fid", "--weights", weights)["FD-tiny300-train"]
        for weights in ("ema", "raw")
    )
    assert (ema.protocol.weights, raw.protocol.weights) == ("ema", "raw")
    assert ema.protocol.hash != raw.protocol.hash and ema.value != raw.value
    model = ganlib.load(snapshot)
    model.updater.average = None
    np.savez("raw.npz", ((model.sample(300) + 1) * 127.5).round().to(torch.uint8).numpy())
    given = score("raw.npz", "--metrics", "fid", "--dataset", model.settings["dataset"])
    assert given["FD-tiny300-train"].value == raw.value


def test_no_average_and_no_generator_have_no_weights_to_choose(
    run: Run, make_snapshot: Make, toy_file: Path
) -> None:
    path = make_snapshot(dataset=str(toy_file))
    assert "holds no moving average" in refused(run("evaluate", path, "--weights", "ema"))
    np.savez("x.npz", np.zeros((4, 1, 28, 28), np.uint8))
    words = "--weights is for a generator, and x.npz holds images."
    assert refused(run("evaluate", "x.npz", "--weights", "raw")) == words


def test_what_is_missing_is_said_before_anything_is_fetched(
    run: Run, make_snapshot: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: Any) -> None:
        raise AssertionError("an extractor was made")

    monkeypatch.setattr("ganlib.training.scores.scorer.make_extractor", fetch)
    np.savez("x.npz", np.zeros((4, 1, 28, 28), np.uint8))
    assert "nothing to compare these images with" in refused(run("evaluate", "x.npz"))
    assert "Did you mean 'cifar10'" in refused(run("evaluate", "x.npz", "--dataset", "cifar01"))
    assert "no data set 'nix'" in refused(run("evaluate", "x.npz", "--reference", "nix"))
    path = make_snapshot(dataset="given")
    assert "given in Python: give --dataset" in refused(run("evaluate", path))


def test_a_file_of_scores_names_the_data(score: Any, snapshot: Path, toy_file: Path) -> None:
    score(snapshot, n=20)
    record = json.loads(Path("scores.json").read_text())
    assert (record["dataset"], record["size"]) == (str(toy_file), None)
    np.savez("x.npz", np.zeros((20, 1, 32, 32), np.uint8))
    score("x.npz", "--dataset", toy_file, "--size", 32, n=20)
    record = json.loads(Path("scores.json").read_text())
    assert (record["dataset"], record["size"]) == (str(toy_file), 32)


def test_best(run: Run, score: Any, make_snapshot: Make, toy_file: Path) -> None:
    settings = {"dataset": str(toy_file), "extractor": "tiny", "evaluation_images": 20}
    best = make_snapshot(iteration=3, **settings)
    folder = best.parent.parent
    make_snapshot(iteration=9, **settings)
    assert "--best-by" in refused(run("evaluate", folder, "--best"))
    copyfile(best, best.with_name("best.pt"))
    score(folder, n=20)
    score(folder, "--best", n=20)
    score(folder, "--at", 3, n=20)
    assert [line["iteration"] for line in read_lines(folder / "scores.jsonl")] == [9, 3, 3]
    assert "leave it out" in refused(run("evaluate", best, "--best"))


def test_the_table(run: Run, score: Any, snapshot: Path, plugin_dir: Path) -> None:
    scores = score(snapshot, n=20)
    options = ["--extractor", "tiny", "--plugin-dir", plugin_dir, "-n", 20]
    result = run("evaluate", snapshot, *options)
    assert result.stdout.splitlines()[0].strip() == str(snapshot)
    for name, one in scores.items():
        row = next(line for line in result.stdout.splitlines() if line.split()[:1] == [name])
        assert one.protocol.hash in row and f"{one.value:.4g}" in row and " 20 " in row
        assert ("train (32)" in row) == (one.protocol.reference == "train")
    assert "seed 0" in result.stdout and "moving average" in result.stdout
    assert result.stderr == ""


def test_the_features_are_those_of_the_run(run: Run, make_snapshot: Make, toy_file: Path) -> None:
    path = make_snapshot(dataset=str(toy_file), extractor="fashion")
    assert " FD-fashion20-train " in run("evaluate", path, "-n", 20).stdout


def test_a_folder_of_runs_is_none_of_images(run: Run, snapshot: Path) -> None:
    place = snapshot.parents[1]
    for verb in ("evaluate", "sample"):
        error = run(verb, place.parent).exception
        assert f"holds runs; name the folder of one: {place}." in str(error)


def test_few_images_are_one_warning(run: Run, snapshot: Path) -> None:
    result = run("evaluate", snapshot, "--extractor", "fashion", "-n", 20)
    (line,) = result.stderr.splitlines()
    assert line.startswith("Warning: 8 images are too few for the 128 features of 'fashion'")
    assert result.stdout.count("rank_deficient") == 2


def test_reference_is_chosen(score: Any, snapshot: Path, toy_file: Path, tmp_path: Path) -> None:
    def references(scores: dict[str, Score]) -> set[str | None]:
        return {score.protocol.reference for score in scores.values()} - {None}

    only = score(snapshot, "--reference", "test", n=20)
    assert references(only) == {"test"} and not any("duplicates" in name for name in only)
    assert references(score(snapshot, "--reference", "train", n=20)) == {"train"}
    _write_pictures(tmp_path / "real", read_hdf5(toy_file, "train"))
    other = score(snapshot, "--reference", tmp_path / "real", n=20)
    assert references(other) == {"reference"}
    both = score(snapshot, n=20)
    assert other["FD-tiny20-reference"].value == both["FD-tiny20-train"].value


def _write_pictures(folder: Path, data: DataSet) -> None:
    folder.mkdir()
    for i in range(len(data)):
        pixels = data.x[torch.tensor([i])][0, 0].numpy()
        Image.fromarray(pixels).save(folder / f"{i:03}.png")


def test_real_images_are_brought_to_size(
    run: Run, score: Any, toy_file: Path, plugin_dir: Path
) -> None:
    np.savez("large.npz", np.random.default_rng(0).integers(0, 256, (40, 32, 32, 1), np.uint8))
    arguments = ["large.npz", "--dataset", toy_file, "--metrics", "fid"]
    options = ["--extractor", "tiny", "--plugin-dir", plugin_dir]
    assert "are 32x32 and the reference's are 28x28" in refused(
        run("evaluate", *arguments, *options)
    )
    assert list(score(*arguments, "--size", 32)) == ["FD-tiny40-train", "FD-tiny40-test"]


def test_copies_are_shown(score: Any, toy_file: Path) -> None:
    real = read_hdf5(toy_file, "train").x[torch.arange(32)]
    random = np.random.default_rng(0).integers(0, 256, (20, 1, 28, 28), np.uint8)
    np.savez("copies.npz", np.concatenate([random, real.numpy()]))
    options = ["--dataset", toy_file, "--reference", "train", "--metrics", "is"]
    picture_file = ["--duplicates-picture", "new/copies.png"]
    assert score("copies.npz", *options, *picture_file)["nearest-least-tiny52-train"].value == 0
    with Image.open("new/copies.png") as picture:
        pixels = np.asarray(picture)
    side, step = 28 * 3, 28 * 3 + 4  # enlarged three times, with a margin
    assert pixels.shape[:2] == (4 + 4 * (side + step), 4 + 8 * step)
    for x in range(4, 4 + 8 * step, step):
        for y in range(4, 4 + 4 * (side + step), side + step):
            column = pixels[y : y + 2 * side, x : x + side]
            np.testing.assert_array_equal(column[:side], column[side:])


def test_samples_are_shown_beside_what_they_are_near(score: Any, snapshot: Path) -> None:
    score(snapshot, "--truncation", 0.7, "--duplicates-picture", "near.png", n=40)
    with Image.open("near.png") as picture:
        assert picture.size == (4 + 8 * 88, 4 + 4 * 172)


def test_evaluation_changes_no_generator(
    score: Any, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ganlib.load(snapshot)
    before = {name: t.clone() for name, t in model.updater.state_dict().items()}
    modes = [module.training for module in model.updater.modules()]
    images, random = model.sample(20), torch.get_rng_state()
    monkeypatch.setattr(targets, "load", lambda path, device, **_: model)
    score(snapshot, n=20)
    assert all(torch.equal(t, before[name]) for name, t in model.updater.state_dict().items())
    assert modes == [module.training for module in model.updater.modules()]
    assert torch.equal(model.sample(20), images) and torch.equal(torch.get_rng_state(), random)


LONG = "x" * 300  # as a name of a file, which no system has


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--truncation", "nan"], "truncation is nan; give a number above 0"),
        (["run", "--metrics", "is,fidd"], "Did you mean 'fid'"),
        (["run", "--metrics", ""], "no metric ''"),
        (["run", "--extractor", "fasion"], "Did you mean 'fashion'"),
        (["run", "--size", 0], "size of the images is 0"),
        (["run", "--size", 16], "reference's are 16x16"),
        (["run", "--out", "x.txt"], "--out x.txt"),
        (["run", "--out", "run"], "--out run"),
        (["run", "--duplicates-picture", "x.gif"], "--duplicates-picture x.gif"),
        (["run", "--device", "cuda:99"], "cuda:99"),
        (["run", "--plugin-dir", "none"], "none"),
        (["run", "--inception-weights", "w.pth"], "The weights file w.pth cannot be read"),
        (["run", "--extractor-weights", "text.txt"], "or name the --extractor that it is for"),
        (["run", "--extractor", "dinov2"], "give --extractor-weights FILE, which is https://dl.fb"),
        (["run", "--extractor", "clip"], "ViT-L-14-336px.pt or pytorch_model.bin of Hugging"),
        (
            ["run", "--extractor", "vgg16", "--extractor-weights", "text.txt"],
            "VGG16's weights is not a published one",
        ),
        (["run", "--reference", "nowhere"], "nowhere"),
        (["run", "--reference", "real", "--dataset", "toy"], "not both"),
        (["run", "--self-test"], "leave run out"),
        (["--self-test", "--precision", "bf16"], "leave --precision out"),
        (["--self-test", "-n", "100"], "leave -n out"),
        (["--self-test", "--no-save"], "leave --no-save out"),
        (["run", "--extractor", "fashion", "--precision", "tf32"], "'cpu' does not have"),
        ([], "What is to be scored"),
        (["none"], "There is no none"),
        (["none.pt"], "There is no none.pt"),
        (["text.txt"], "text.txt cannot be scored"),
        (["empty"], "no usable image"),
        (["empty", "--truncation", 0.5], "--truncation is for a generator"),
        (["nan.npz"], "NaN or infinite"),
        (["sizes"], "one size"),
        (["small.npz"], "are 8x8 and the reference's are 28x28"),
        (["one.npz"], "1 images to score"),
        (["small.npz", "--range", "0,1"], "holds uint8"),
        (["run", "--range", "0,1"], "--range is for .npz and .npy files"),
        (["empty", "--range", "0,1"], "--range is for .npz and .npy files"),
        ([LONG], LONG),
        ([LONG + ".npz"], "cannot be read"),
        (["run", "--out", LONG + ".json"], LONG),
        (["run", "--out", "run/" + LONG + "/x.json"], LONG),
        (["run", "--duplicates-picture", LONG + ".png"], LONG),
        (["run", "--reference", LONG], LONG),
        (["small.npz", "--no-dataset", "--dataset", LONG], LONG),
        (["run", "--data-root", LONG, "--dataset", "mnist"], LONG),
        (["run", "--plugin-dir", LONG], LONG),
        (["nan.npz", "--no-dataset"], "give --dataset NAME, or --reference"),
        (["nan.npz", "--no-dataset", "--reference", "test"], "give --dataset NAME"),
        (["broken.pt"], "not a whole snapshot"),
    ],
)
def test_bad_input(
    run: Run, snapshot: Path, toy_file: Path, arguments: list[Any], words: str
) -> None:
    Path("empty").mkdir()
    for path in ("text.txt", "broken.pt"):
        Path(path).write_text("no snapshot")
    np.savez("nan.npz", np.full((3, 28, 28, 1), np.nan, np.float32))
    np.savez("small.npz", np.zeros((3, 8, 8, 1), np.uint8))
    np.savez("one.npz", np.zeros((1, 28, 28, 1), np.uint8))
    Path("sizes").mkdir()
    for side in (8, 9):
        Image.new("L", (side, side)).save(f"sizes/{side}.png")
    before = sorted(Path().rglob("*"))
    defaults = [] if "--extractor" in arguments or "cuda:99" in arguments else EXTRACTOR
    if arguments[:1] != ["run"] and "--no-dataset" not in arguments:
        defaults = [*defaults, "--dataset", toy_file]
    given = [argument for argument in arguments if argument != "--no-dataset"]
    assert words in refused(run("evaluate", *given, *defaults))
    assert sorted(Path().rglob("*")) == before


EXTRACTOR = ["--extractor", "fashion"]


def test_floats_of_another_range(run: Run, score: Any, toy_file: Path, plugin_dir: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28), np.uint8)
    np.savez("bytes.npz", x)
    np.savez("ours.npz", (x / 127.5 - 1).astype(np.float32))
    np.savez("floats.npz", (x / 255).astype(np.float32))
    arguments = ["--dataset", toy_file, "--metrics", "fid"]
    options = ["--extractor", "tiny", "--plugin-dir", plugin_dir]
    assert "--range 0,1 or 0,255" in refused(run("evaluate", "floats.npz", *arguments, *options))
    right = score("ours.npz", *arguments)
    found = score("floats.npz", *arguments, "--range", "0,1", "--duplicates-picture", "near.png")
    assert values(right).items() <= values(found).items()
    given = score("bytes.npz", *arguments)
    assert values(given) == values(right)
    for name in given:
        assert differences(given[name].protocol, right[name].protocol) == [
            "rounding: given against round"
        ]
    meant = score("floats.npz", *arguments, "--range", "-1,1")
    assert values(meant) != values(right)


@pytest.mark.parametrize("place", ["Path.is_dir", "Path.exists", "open_images"])
def test_what_may_not_be_read(
    place: str, run: Run, toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> Any:
        if path.name == "theirs.h5":
            raise PermissionError(13, "Permission denied", str(path))
        return before(path)

    owner, name = (Path, place[5:]) if place.startswith("Path") else (targets, place)
    before = getattr(owner, name)
    monkeypatch.setattr(owner, name, refuse)
    copyfile(toy_file, "theirs.h5")
    result = run("evaluate", "theirs.h5", *EXTRACTOR, "--dataset", toy_file)
    assert "theirs.h5 cannot be read: Permission denied" in refused(result)


def test_no_terminal_is_given_orders(run: Run, toy_file: Path, plugin_dir: Path) -> None:
    folder = Path("a\x1b]0;x\x07\x9bb")
    folder.mkdir()
    x = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    np.savez(folder / "x.npz", x)
    options = ["--extractor", "tiny", "--plugin-dir", plugin_dir, "--dataset", toy_file]
    out = ["--out", folder / "x.json", "--duplicates-picture", folder / "x.png"]
    result = run("evaluate", folder / "x.npz", *options, *out)
    assert result.exit_code == 0, result.exception
    assert result.stdout.count("a\\x1b]0;x\\x07\\x9bb") == 3
    assert not {"\x1b", "\x07", "\x9b"} & set(result.output)


@pytest.fixture
def clothes_file(tmp_path: Path) -> Path:
    """400 training and 200 test images of Fashion-MNIST, the first ones."""
    path = tmp_path / "clothes.h5"
    write_hdf5(path, *(first_clothes(split, n) for split, n in (("train", 400), ("test", 200))))
    return path


def first_clothes(split: str, n: int) -> DataSet:
    data = open_dataset("fashion_mnist", split=split)
    assert data.y is not None
    return replace(data, x=data.x[torch.arange(n)], y=data.y[:n])


@pytest.mark.filterwarnings("ignore:.* too few")
def test_images_with_labels_are_scored_by_class(
    run: Run, clothes_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cas, "EPOCHS", 1)
    samples = first_clothes("test", 500)
    x, y = samples.x[torch.arange(200, 500)], samples.y[200:]  # type: ignore[index]
    np.savez("with.npz", images=x.numpy(), labels=y.numpy())
    np.savez("without.npz", images=x.numpy())
    options = ["--dataset", clothes_file, "--device", "cpu", "--extractor", "fashion"]
    result = run("evaluate", "with.npz", *options, "--cas", "--out", "x.json")
    assert result.exit_code == 0, result.exception
    scores = json.loads(Path("x.json").read_text())["scores"]
    assert [name for name in scores if name.startswith(("intra", "class", "CAS"))] == [
        "intra-FD-fashion300-train",
        "class-precision-fashion300-train",
        "class-recall-fashion300-train",
        "class-accuracy-fashion300",
        "CAS300-test",
    ]
    right = make_extractor("fashion")(x).logits.argmax(1) == y  # type: ignore[union-attr]
    accuracy = scores["class-accuracy-fashion300"]
    assert accuracy["value"] == pytest.approx(float(right.double().mean()))
    assert (
        accuracy["more"]["real"]["n"] == 200 and scores["CAS300-test"]["more"]["real"]["n"] == 300
    )
    (line,) = [x for x in result.stdout.splitlines() if "class-accuracy" in x]
    assert figures(accuracy["more"]["real"]["value"]) in line.split()[2:]
    assert set(scores["intra-FD-fashion300-train"]["more"]["by_class"]) == set(samples.classes)

    assert run("evaluate", "without.npz", *options, "--out", "y.json").exit_code == 0
    plain = json.loads(Path("y.json").read_text())["scores"]
    assert list(plain) == [
        name for name in scores if not name.startswith(("intra", "class", "CAS"))
    ]
    assert all(plain[name]["hash"] == scores[name]["hash"] for name in plain)
    words = "'cas' needs the labels that images were asked for, and these have none: give an .npz"
    assert words in refused(run("evaluate", "without.npz", *options, "--cas"))


def test_a_generator_that_is_told_labels_is_scored_by_class(
    run: Run, score: Any, small_snapshot: Make
) -> None:
    path = small_snapshot("labelled")
    scores = score(path, "--metrics", "fid,intra", n=600)
    assert list(scores) == ["FD-tiny600-train", "FD-tiny600-test", "intra-FD-tiny600-train"][::2]
    protocol = scores["intra-FD-tiny600-train"].protocol
    assert protocol.settings["labels"] == "marginal" and protocol.weights == "raw"
    assert "intra-FD-tiny600-train" in score(path, n=600)
    assert "intra-FD-tiny600-train" not in score(path, "--reference", unlabelled(), n=600)
    for reference, words in (
        (unlabelled(), "the real images ('reference') have no labels: leave it out"),
        ("data.h5", "real test images, and there are none"),
    ):
        options = ["--reference", reference, *EXTRACTOR, "--metrics", "cas"]
        assert words in refused(run("evaluate", path, *options))


def unlabelled() -> Path:
    write_hdf5(Path("bare.h5"), replace(read_hdf5(Path("data.h5"), "train"), y=None, classes=()))
    return Path("bare.h5")


def test_a_generator_that_is_told_none_is_not(run: Run, snapshot: Path) -> None:
    words = "needs the labels .* these have none: leave it out, or score a generator that is told"
    for metric in ("intra", "class_pr", "class_accuracy", "cas"):
        told = refused(run("evaluate", snapshot, *EXTRACTOR, "-n", 20, "--metrics", metric))
        assert re.search(f"'{metric}' {words}", told)
    assert "'cas' needs the labels" in refused(run("evaluate", snapshot, *EXTRACTOR, "--cas"))


def test_metrics_that_give_nothing(run: Run, score: Any, snapshot: Path) -> None:
    assert score(snapshot, "--metrics", "kid", n=4)
    result = run("evaluate", snapshot, *EXTRACTOR, "-n", 4, "--metrics", "prdc")
    assert "more images" in refused(result)


def test_self_test(run: Run, toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("evaluate", "--self-test", "--dataset", toy_file, *EXTRACTOR)
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("right: FD-fashion") and second.startswith("not checked: FD-fashion")
    wrong = [self_test.Answer("two is 2", True), self_test.Answer("two is 3", False)]
    monkeypatch.setattr(self_test, "answers", lambda *_: wrong)
    result = run("evaluate", "--self-test")
    assert result.exit_code == 1
    assert result.stdout == "right: two is 2\nWRONG: two is 3\n"


def test_command_line_ends_in_status_2_and_one_line(main_here: Any, tmp_path: Path) -> None:
    done = main_here("evaluate", "none.pt")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("Error: There is no none.pt") and done.stderr.count("\n") == 1
