"""ganlib translate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import ganlib
from ganlib.common.data.spec import resize_pixels
from ganlib.common.errors import UserError
from ganlib.common.pictures import to_uint8
from ganlib.common.query import open_dataset
from ganlib.common.sources.grey import grey
from ganlib.common.sources.parse import parse_source
from ganlib.sampling.translation.translator import Translator

Make = Callable[..., Path]
Run = Callable[..., Result]


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(name: str, pixels: NDArray[Any]) -> Tensor:
    """A file of uint8 (H, W) or (H, W, 3); the same as (C, H, W)."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    x = torch.from_numpy(pixels)
    return x[None] if x.dim() == 2 else x.permute(2, 0, 1)


def read(name: str | Path) -> Tensor:
    with Image.open(name) as picture:
        x = torch.from_numpy(np.array(picture))
    return x[None] if x.dim() == 2 else x.permute(2, 0, 1)


@pytest.fixture
def upscaler(small_snapshot: Make) -> Path:
    return small_snapshot("superres")


def test_files_and_folders_keep_their_names(run: Run, upscaler: Path) -> None:
    names = ("a.png", "in/b.bmp", "in/deep/c.tiff", "in/deep/d.PNG")
    files = [write(name, noise(5 + i, 9, seed=i)) for i, name in enumerate(names)]
    Path("in/notes.txt").write_text("no image")
    result = run("translate", upscaler, "a.png", "in", "--out", "new/out")
    assert result.exit_code == 0 and (result.stdout, result.stderr) == ("new/out\n", "")
    made = sorted(str(p.relative_to("new/out")) for p in Path("new/out").rglob("*") if p.is_file())
    assert made == ["a.png", "b.png", "deep/c.png", "deep/d.PNG"]
    translator = Translator(ganlib.load(upscaler).updater)
    for name, y in zip(made, files, strict=True):
        assert torch.equal(read(f"new/out/{name}"), to_uint8(translator(y)))


def test_a_held_out_source_becomes_its_sample(run: Run, upscaler: Path) -> None:
    model, data = ganlib.load(upscaler), open_dataset("data.h5")
    assert data.source is not None
    y = data.source[torch.tensor([4])]
    write("a.png", y[0, 0].numpy())
    assert run("translate", upscaler, "a.png", "-o", "out").exit_code == 0
    expected = model.sample(1, y=y.float() / 127.5 - 1)
    assert torch.equal(read("out/a.png"), to_uint8(expected)[0])


def test_nothing_is_overwritten_unless_told(run: Run, upscaler: Path) -> None:
    for name in "abc":
        write(f"in/{name}.png", noise(5, 5))
    Path("out").mkdir()
    for name in ("b", "c"):
        Path(f"out/{name}.png").write_text("mine")
    error = run("translate", upscaler, "in", "-o", "out").exception
    assert str(error) == "out/b.png and 1 more are there already: give --force, or another --out."
    assert len(list(Path("out").iterdir())) == 2 and Path("out/b.png").read_text() == "mine"
    assert run("translate", upscaler, "in", "-o", "out", "--force").exit_code == 0
    assert read("out/b.png").shape == (1, 20, 20)
    error = run("translate", upscaler, "in", "-o", "in", "--force").exception
    assert str(error) == "in/a.png is an input, which stays as it is: give another --out."


def test_results_inside_of_the_folder_are_no_inputs(run: Run, upscaler: Path) -> None:
    write("in/a.png", noise(5, 5))
    for _ in range(2):
        assert run("translate", upscaler, "in", "-o", "in/out", "--force").exit_code == 0
    assert [str(p) for p in sorted(Path("in").rglob("*.png"))] == ["in/a.png", "in/out/a.png"]


def test_two_files_of_one_name(run: Run, upscaler: Path) -> None:
    write("in/a.png", noise(5, 5))
    write("in/a.bmp", noise(5, 5))
    error = run("translate", upscaler, "in", "-o", "out").exception
    assert isinstance(error, UserError)
    assert "in/a.bmp and in/a.png would both become out/a.png" in str(error)
    assert not Path("out").exists()


def test_what_cannot_be_read_is_left_out(run: Run, upscaler: Path) -> None:
    write("in/a.png", noise(5, 5))
    Path("in/b.png").write_bytes(Path("in/a.png").read_bytes()[:50])
    Path("in/c.png").touch()
    result = run("translate", upscaler, "in", "-o", "out")
    assert result.exit_code == 0
    assert result.stderr == "2 files were left out, the first in/b.png (truncated).\n"
    assert [p.name for p in Path("out").iterdir()] == ["a.png"]
    result = run("translate", upscaler, "in/c.png", "-o", "none")
    assert isinstance(result.exception, UserError)  # which ends in status 2
    assert str(result.exception) == (
        "Nothing was translated: 1 file was left out: in/c.png (empty)."
    )
    assert not Path("none").exists()


def test_what_would_have_too_long_a_name_is_left_out(run: Run, small_snapshot: Make) -> None:
    long, longer = "x" * 249, "y" * 250  # with _0.png 255 and 256
    for name in ("a", long, longer, "z"):
        write(f"in/{name}.png", noise(28, 28))
    result = run("translate", small_snapshot("dropped"), "in", "-o", "out", "-k", 2)
    assert result.exit_code == 0 and result.stderr == (
        f"1 file was left out: in/{longer}.png (what is made of it would have too long a name).\n"
    )
    found = {path.name for path in Path("out").iterdir()}
    assert found == {f"{name}_{k}.png" for name in ("a", long, "z") for k in (0, 1)}


def test_what_the_network_does_not_take_is_left_out(
    run: Run, upscaler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("in/a.png", noise(5, 5))
    write("in/b.png", noise(5, 6))
    whole = torch.nn.PixelShuffle.forward

    def forward(layer: torch.nn.PixelShuffle, x: Tensor) -> Tensor:
        if x.shape[3] == 6:
            raise RuntimeError("too wide for me")
        return whole(layer, x)

    monkeypatch.setattr(torch.nn.PixelShuffle, "forward", forward)
    result = run("translate", upscaler, "in", "-o", "out")
    assert result.exit_code == 0 and result.stderr == (
        "1 file was left out: in/b.png (The generator takes no source of 6x5 pixels: too wide for "
        "me).\n"
    )


def test_one_line_says_what_was_padded_or_cut(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("dropped")
    for i, size in enumerate([(28, 28), (28, 28), (30, 30), (29, 30), (31, 90)]):
        write(f"in/{i}.png", noise(*size))
    result = run("translate", path, "in", "-o", "out", "--tile", 40)
    assert result.exit_code == 0 and result.stderr == (
        "Of 5 files 2 were padded by repeating the border, 1 was made in tiles that are blended.\n"
    )
    assert [read(f"out/{i}.png").shape[1:] for i in range(5)] == [
        (28, 28),
        (28, 28),
        (30, 30),
        (29, 30),
        (31, 90),
    ]


def test_several_outputs_by_seed_alone(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("dropped")
    ys = [write(f"in/{name}.png", noise(28, 28, seed=i)) for i, name in enumerate("ab")]
    assert run("translate", path, "in", "-o", "out", "-k", 3, "--seed", 5).exit_code == 0
    translator = Translator(ganlib.load(path).updater, 5)
    names = sorted(p.name for p in Path("out").iterdir())
    assert names == ["a_0.png", "a_1.png", "a_2.png", "b_0.png", "b_1.png", "b_2.png"]
    for i, name in enumerate(names):
        assert torch.equal(read(f"out/{name}"), to_uint8(translator(ys[i // 3], i % 3)))
    run("translate", path, "in/b.png", "-o", "alone", "--seed", 5)
    assert Path("alone/b.png").read_bytes() == Path("out/b_0.png").read_bytes()


def test_no_several_outputs_without_noise(run: Run, upscaler: Path) -> None:
    write("a.png", noise(5, 5))
    error = run("translate", upscaler, "a.png", "-o", "out", "--outputs", 2).exception
    assert isinstance(error, UserError) and "has no noise" in str(error)
    assert not Path("out").exists()


@pytest.mark.parametrize("source", ["edges", "grey", "masked:3", "low-resolution:2", "left"])
def test_sources_are_made_of_files_as_in_training(
    run: Run, small_snapshot: Make, source: str
) -> None:
    path = small_snapshot("unpaired")
    spec = ganlib.load(path).spec
    assert (spec.image[0], spec.source) == (1, (1, 32, 32))
    x = write("a.png", noise(20, 30, 3))
    result = run("translate", path, "a.png", "-o", "out", "--source", source)
    if source == "grey":  # of images that are grey, as this generator's
        assert str(result.exception).startswith("These images are grey already")
        return
    made = {
        "edges": lambda x, i: parse_source("edges").make(x, i),
        "masked:3": lambda x, i: parse_source("masked:3").make(x, i),
        "low-resolution:2": lambda x, i: parse_source("low-resolution:2").make(x, i),
        "left": lambda x, i: x[..., :15],
    }[source]
    y = made(grey(x[None]), torch.zeros(1, dtype=torch.int64))[0]
    expected = Translator(ganlib.load(path).updater)(y)
    assert torch.equal(read("out/a.png"), to_uint8(expected))


@pytest.mark.parametrize(
    ("source", "like"),
    [
        ("edges", "edges"),
        ("masked:3", "masked:3"),
        ("left", "left"),
        ("low-resolution:2", "own"),  # what is to be enlarged is small already
        ("unpaired:emoji", "own"),
        ("in", "own"),
        (None, "own"),
    ],
)
def test_without_a_source_it_does_as_the_run_did_and_says_so(
    run: Run, small_snapshot: Make, source: str | None, like: str
) -> None:
    write("in/a.png", noise(28, 28, 3))
    path = small_snapshot("unpaired", run={"source": source})
    result = run("translate", path, "in", "-o", "out")
    said = f"Sources are made of the files as in training (--source {source}); --source own takes "
    assert result.stderr == ("" if like == "own" else f"{said}them as they are.\n")
    for name in (like, "own"):
        assert run("translate", path, "in", "-o", name, "--source", name).stderr == ""
    assert torch.equal(read("out/a.png"), read(f"{like}/a.png"))
    assert (like == "own") == torch.equal(read("out/a.png"), read("own/a.png"))


def test_files_may_be_made_smaller_first(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("dropped")
    x = write("in/a.png", noise(60, 90))
    result = run("translate", path, "in", "-o", "out", "--size", 30)
    assert "twice as large" not in result.stderr
    expected = Translator(ganlib.load(path).updater)(resize_pixels(x[None], (30, 45))[0])
    assert torch.equal(read("out/a.png"), to_uint8(expected))


def test_maps_may_be_made_smaller_first(run: Run, small_snapshot: Make) -> None:
    maps = small_snapshot("labelmap")
    ids = write("in/a.png", noise(60, 90) % 3)
    assert run("translate", maps, "in", "-o", "maps", "--size", 30).exit_code == 0
    smaller = ids[:, 1::2, 1::2].int()  # of an even block each nearest pixel is the second
    found = Translator(ganlib.load(maps).updater)(smaller.expand(2, -1, -1).clone())
    assert torch.equal(read("maps/a.png"), to_uint8(found))


@pytest.mark.parametrize(
    ("name", "crop", "size", "told"),
    [
        ("dropped", None, (57, 90), True),
        ("dropped", None, (56, 90), False),  # twice the 28 pixels of training
        ("dropped", 28, (57, 90), False),  # it saw the files as they are
        ("superres", None, (57, 90), False),  # it enlarges what is of any size
    ],
)
def test_much_larger_files_than_those_of_training_are_a_sentence(
    run: Run, small_snapshot: Make, name: str, crop: int | None, size: tuple[int, int], told: bool
) -> None:
    path = small_snapshot(name, run={"crop": crop})
    write("in/a.png", noise(*size))
    write("in/b.png", noise(28, 28))
    result = run("translate", path, "in", "-o", "out")
    sentence = (
        "Of 2 files 1 is more than twice as large as images of training, 28x28, and so are things "
        "in them: --size 28 makes files smaller first.\n"
    )
    assert result.exit_code == 0 and (sentence in result.stderr) == told


def test_a_photo_is_padded_for_a_lower_resolution(run: Run, upscaler: Path) -> None:
    x = write("a.png", noise(19, 22))
    result = run("translate", upscaler, "a.png", "-o", "out", "--source", "low-resolution:4")
    assert result.stderr == "Of 1 file 1 was padded by repeating the border.\n"
    bordered = np.pad(x[0].numpy(), ((0, 1), (0, 2)), "edge")
    lower = parse_source("low-resolution:4")
    y = lower.of(torch.from_numpy(bordered)[None, None], torch.zeros(1).long())[0]
    expected = Translator(ganlib.load(upscaler).updater)(y)
    assert expected.shape == (1, 20, 24)
    assert torch.equal(read("out/a.png"), to_uint8(expected))


def test_maps_of_classes(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("labelmap")
    classes = write("in/a.png", noise(30, 40) % 3)
    write("in/b.png", noise(30, 40) % 4)
    write("in/c.png", noise(30, 40, 3))
    result = run("translate", path, "in", "-o", "out")
    assert result.exit_code == 0 and result.stderr == (
        "2 files were left out, the first in/b.png (with classes other than 0 to 2).\n"
    )
    ids = torch.cat([classes, classes]).int()  # instances, which training knew, are the classes
    expected = Translator(ganlib.load(path).updater)(ids)
    assert torch.equal(read("out/a.png"), to_uint8(expected))
    error = run("translate", path, "in", "-o", "new", "--source", "edges").exception
    assert isinstance(error, UserError) and "starts from maps of classes" in str(error)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.png"], "There is no file or folder none.png."),
        (["empty"], "empty holds no images, files that end in one of .avif .bmp"),
        (["a.png", "--out", "a.png/b"], "a.png/b"),
        (["a.png", "--source", "egdes"], "There is no source 'egdes'. Did you mean 'edges'?"),
        (["a.png", "--source", "empty"], "is not made of the files themselves: give its files as"),
        (["a.png", "--source", "unpaired:emoji"], "is not made of the files themselves"),
        (["a.png", "--device", "cuda:99"], "cuda:99"),
        (["a.png", "--device", "cpu", "-g", 0], "Give --gpu or --device, not both."),
        (["a.png", "--plugin-dir", "none"], "none"),
    ],
)
def test_bad_input(run: Run, upscaler: Path, arguments: list[str], words: str) -> None:
    write("a.png", noise(5, 5))
    Path("empty").mkdir()
    before = sorted(Path().rglob("*"))
    error = run("translate", upscaler, "--out", "out", *arguments).exception
    assert isinstance(error, UserError) and words in str(error)
    assert sorted(Path().rglob("*")) == before


def test_out_that_is_a_file(run: Run, upscaler: Path) -> None:
    write("a.png", noise(5, 5))
    error = run("translate", upscaler, "a.png", "--out", "a.png").exception
    assert isinstance(error, UserError) and str(error) == "--out a.png is a file; give a folder."


def test_only_what_translates(run: Run, snapshot: Path) -> None:
    write("a.png", noise(5, 5))
    error = run("translate", snapshot, "a.png", "-o", "out").exception
    assert isinstance(error, UserError) and "starts from no images" in str(error)
    assert not Path("out").exists()


def test_statistics_of_fresh_sources(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("dropped")
    y = write("a.png", noise(28, 28))
    arguments = ("translate", path, "a.png", "--statistics", "standing:2")
    assert run(*arguments, "-o", "out").exit_code == 0
    model = ganlib.load(path, dataset="data.h5")
    expected = Translator(model.updater, statistics="standing:2")(y)
    assert torch.equal(read("out/a.png"), to_uint8(expected))
    Path("data.h5").unlink()
    assert "data.h5" in str(run(*arguments, "-o", "new").exception)


def test_a_full_disk_leaves_whole_files(
    run: Run, upscaler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        write(f"in/{name}.png", noise(5, 5))
    save, done = Image.Image.save, []

    def full(picture: Image.Image, path: Path, **how: Any) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(path)
        save(picture, path, **how)

    monkeypatch.setattr(Image.Image, "save", full)
    error = run("translate", upscaler, "in", "-o", "out").exception
    assert str(error) == "out/b.png cannot be written: No space left on device."
    assert [p.name for p in Path("out").iterdir()] == ["a.png"]
