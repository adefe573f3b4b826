"""ganlib export, and what becomes of its files elsewhere."""

import json
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from click.testing import Result
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.io.files import MARK, is_ours
from ganlib.common.layers.basic import Dropout
from ganlib.common.seeds import generator
from ganlib.registry import algorithms
from ganlib.runs.settings import resolve
from ganlib.sampling.exports.export import load_export, model_card
from ganlib.sampling.exports.onnx import write_onnx

Make = Callable[..., Path]
Run = Callable[..., Result]

RESIZED = DataSpec((3, 32, 32), (3, 24, 40), "resize")


def _onnx(path: Path, **inputs: Tensor) -> Tensor:
    onnxruntime: Any = import_module("onnxruntime")  # which has no types
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {name: value.numpy() for name, value in inputs.items()}
    assert {entry.name for entry in session.get_inputs()} == feed.keys()
    assert [entry.name for entry in session.get_outputs()] == ["images"]
    return torch.from_numpy(session.run(["images"], feed)[0])


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_weights_load_into_a_fresh_network(run: Run, make_snapshot: Make, ema_decay: float) -> None:
    path = make_snapshot(ema_decay=ema_decay)
    result = run("export", path, "--out", "out", "--format", "safetensors")
    assert result.exit_code == 0
    names = ("README.md", "generator.safetensors", "model_card.json", "samples.png")
    assert result.stdout.split() == [f"out/{name}" for name in names]
    algorithm, settings = algorithms["dcgan"], resolve({"algorithm": "dcgan", "width": 0.05})
    gen: Any = algorithm.build(settings.algorithm, ganlib.load(path).spec)["gen"].eval()
    gen.load_state_dict(load_file("out/generator.safetensors"))
    model = ganlib.load(path)
    z, _ = model.latents([0, 1, 2])
    with torch.no_grad():
        images = gen(z)[..., 2:30, 2:30]
    torch.testing.assert_close(images, model.decode(z))


@pytest.mark.parametrize("name", ["dcgan", "wgan_gp"])
def test_export_loads_as_a_model(run: Run, make_snapshot: Make, name: str) -> None:
    path = make_snapshot(name, ema_decay=0.5)
    run("export", path.parent.parent, "--out", "out", "--format", "safetensors")
    model = load_export("out")
    assert torch.equal(model.sample(5, seed=1), ganlib.load(path).sample(5, seed=1))
    assert model.updater.iteration == 7


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        pytest.param("dcgan", {}, marks=pytest.mark.slow),  # as cgan's below
        ("wgan_gp", {"architecture": "cnn", "spec": RESIZED}),
        ("sngan", {"architecture": "resnet", "ema_decay": 0.5}),
    ],
)
def test_onnx_gives_the_same_images(
    run: Run, make_snapshot: Make, name: str, settings: dict[str, Any]
) -> None:
    path = make_snapshot(name, **settings)
    result = run("export", path, "--out", "out", "--format", "onnx")
    assert result.exit_code == 0, result.exception
    names = ["README.md", "generator.onnx", "model_card.json", "samples.png"]
    assert sorted(f.name for f in Path("out").iterdir()) == names
    assert is_ours(Path("out/generator.onnx"))
    model = ganlib.load(path)
    for n in (1, 5):
        z, _ = model.latents(list(range(n)))
        images = _onnx(Path("out/generator.onnx"), z=z)
        assert images.shape == (n, *model.spec.native)
        torch.testing.assert_close(images, model.decode(z), atol=1e-4, rtol=0)


def test_a_generator_of_classes_takes_y_and_their_names_go_with_it(
    run: Run, make_snapshot: Make
) -> None:
    names = ("T-shirt/top", "Hose", "靴")
    spec = DataSpec((1, 28, 28), (1, 28, 28), n_classes=3, classes=names)
    path = make_snapshot("cgan", spec)
    assert run("export", path, "--out", "out").exit_code == 0
    card = json.loads(Path("out/model_card.json").read_text("utf-8"))
    assert card["condition"] == {"kind": "labels", "classes": list(names)}
    assert card["onnx"] == {"z": ["n", 100], "y": ["n"]}
    onnx: Any = import_module("onnx")
    metadata = {p.key: p.value for p in onnx.load("out/generator.onnx").metadata_props}
    assert json.loads(metadata["classes"]) == list(names)
    assert is_ours(Path("out/generator.onnx"))
    model = ganlib.load(path)
    for n in (1, 5):
        z, y = model.latents(list(range(n)))
        assert y is not None
        images = _onnx(Path("out/generator.onnx"), z=z, y=y)
        torch.testing.assert_close(images, model.decode(z, y), atol=1e-4, rtol=0)
    exported = load_export("out")
    torch.testing.assert_close(exported.sample(3, y="hose"), model.sample(3, y=1))
    scope: dict[str, Any] = {}
    exec(card["python"].replace("THIS FOLDER", "out"), scope)
    assert scope["images"].shape == (64, 1, 28, 28)
    assert 'y="T-shirt/top"' in card["python"]
    with Image.open("samples.png") as picture:
        assert picture.tobytes() == exported.grid().tobytes()


def test_classes_without_names_are_numbers_on_the_card(run: Run, make_snapshot: Make) -> None:
    path = make_snapshot("cgan", DataSpec((1, 8, 8), (1, 8, 8), n_classes=2))
    assert run("export", path, "--out", "out", "--format", "safetensors").exit_code == 0
    card = json.loads(Path("out/model_card.json").read_text())
    assert card["condition"]["classes"] == ["0", "1"]


@pytest.mark.slow
def test_onnx_of_a_translator_takes_images_of_any_size(
    run: Run, small_snapshot: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    path = small_snapshot("pix2pix", side=16, n_layers=2, jitter=0)  # halved to a pixel
    capfd.readouterr()
    assert run("export", path, "--out", "out").exit_code == 0
    assert capfd.readouterr().err == ""  # PyTorch's tracebacks among them
    card = json.loads(Path("out/model_card.json").read_text())
    assert card["onnx"] == {"y": ["n", 1, "height", "width"]}
    assert card["condition"] == {
        "kind": "images",
        "shape": [1, 16, 16],
        "multiple": 16,
        "values": "[-1, 1]",
    }
    assert card["latent"] is None and card["statistics"] == "batch"
    model = ganlib.load(path)
    for shape in ((1, 1, 16, 16), (3, 1, 16, 48)):
        y = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        z = torch.empty(len(y), 0)
        images = _onnx(Path("out/generator.onnx"), y=y)
        assert images.shape == shape
        torch.testing.assert_close(images, model.decode(z, y), atol=1e-4, rtol=0)
    exported = load_export("out", dataset="data.h5")
    ours = ganlib.load(path, dataset="data.h5")
    torch.testing.assert_close(exported.sample(3), ours.sample(3))


def padded(y: Tensor, multiple: int) -> Tensor:
    """y (n, C, H, W) with its border repeated at the right and at the bottom."""
    high, wide = (-side % multiple for side in y.shape[2:])
    return F.pad(y, (0, wide, 0, high), mode="replicate")


@pytest.mark.parametrize(
    ("name", "times"), [("superres", 4), pytest.param("dropped", 1, marks=pytest.mark.slow)]
)
def test_onnx_of_a_translator_is_what_translate_gives(
    run: Run, small_snapshot: Make, name: str, times: int
) -> None:
    path = small_snapshot(name, side=32)
    assert run("export", path, "--out", "out").exit_code == 0
    model = load_export("out")
    multiple = json.loads(Path("out/model_card.json").read_text())["condition"]["multiple"]
    for layer in model.updater.gen.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.0  # noise, which the file is without
    for height, width in ((8, 8), (32, 32), (48, 20), (29, 31), (3, 5)):
        x = torch.randint(256, (1, 1, height, width), generator=generator(0)).byte()
        y = padded(x.float() / 127.5 - 1, multiple)
        images = _onnx(Path("out/generator.onnx"), y=y)[..., : times * height, : times * width]
        found = model.translate(x)
        assert isinstance(found, Tensor) and found.shape == images.shape
        torch.testing.assert_close(found, images, atol=1e-4, rtol=0)


def test_snippet_of_a_translator_runs(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("superres")
    assert run("export", path, "--out", "out", "--format", "safetensors").exit_code == 0
    snippet = json.loads(Path("out/model_card.json").read_text("utf-8"))["python"]
    Image.new("RGB", (9, 5), "red").save("photo.png")
    names: dict[str, Any] = {}
    exec(snippet.replace("THIS FOLDER", "out").replace("A FILE", "photo.png"), names)
    assert names["images"].shape == (1, 1, 20, 36)


def test_snippet_of_what_starts_from_sequences_runs(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("frames")
    assert run("export", path, "--out", "out", "--format", "safetensors").exit_code == 0
    snippet = json.loads(Path("out/model_card.json").read_text("utf-8"))["python"]
    names: dict[str, Any] = {}
    ours = snippet.replace("THIS FOLDER", "out").replace("AN .h5 FILE OF PAIRS", "data.h5")
    exec(ours, names)
    assert names["images"].shape == (2, 1, 28, 28)


def test_sizes_are_fixed_of_a_network_that_says_so(
    small_snapshot: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ganlib.load(small_snapshot("dropped", side=32))
    monkeypatch.setattr(type(model.updater.gen), "multiple", 0)
    assert write_onnx(model, tmp_path / "g.onnx") == {"y": ["n", 1, 32, 32]}


def test_sizes_are_fixed_where_the_network_has_but_one(
    small_snapshot: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tried = ganlib.load(small_snapshot("dropped", side=32)), []
    whole = torch.onnx.export

    def export(*args: Any, dynamic_shapes: dict[str, dict[int, Any]], **rest: Any) -> None:
        tried.append(sorted(dynamic_shapes["y"]))
        if len(tried) == 1:
            raise torch.onnx.OnnxExporterError
        whole(*args, dynamic_shapes=dynamic_shapes, **rest)

    monkeypatch.setattr(torch.onnx, "export", export)
    assert write_onnx(model, tmp_path / "g.onnx") == {"y": ["n", 1, 32, 32]}
    assert tried == [[0, 2, 3], [0]]


def test_tracing_leaves_the_model_as_it_was(snapshot: Path, tmp_path: Path) -> None:
    model = ganlib.load(snapshot)
    before = {name: t.clone() for name, t in model.updater.state_dict().items()}
    write_onnx(model, tmp_path / "g.onnx")
    assert all(m.training for m in model.updater.gen.modules())
    assert all(torch.equal(t, before[name]) for name, t in model.updater.state_dict().items())


def test_the_card_knows_the_licence_of_data_that_ship(make_snapshot: Make) -> None:
    for dataset, words in (
        ("fashion_mnist", "MIT, Copyright 2017 Zalando SE"),
        ("emoji", "Noto Emoji: Apache-2.0, Google Inc. and contributors; Twemoji: CC BY 4.0"),
        ("ring8", "None is needed"),
        ("cifar10", "Unknown: look up"),
        ("folder/of/mine", "Unknown: look up"),
    ):
        card = model_card(ganlib.load(make_snapshot(dataset=dataset)))
        assert card["data_license"].startswith(words)


def test_card(run: Run, make_snapshot: Make) -> None:
    path = make_snapshot(ema_decay=0.9, out="/home/somebody/secret")
    run("export", path, "--out", "out", "--format", "safetensors")
    card = json.loads(Path("out/model_card.json").read_text("utf-8"))
    digest = card.pop("sha256", None)
    assert card == json.loads(json.dumps(model_card(ganlib.load(path))))
    weights = Path("out/generator.safetensors")
    assert digest == (sha256(weights.read_bytes()).hexdigest() if weights.exists() else None)
    gen = ganlib.load(path).updater.gen
    assert card["algorithm"] == "dcgan" and "1511.06434" in card["paper"]
    assert card["parameters"] == sum(p.numel() for p in gen.parameters())
    assert card["latent"] == {"distribution": "U(-1, 1)", "size": 128}
    assert card["images"] == {
        "shape": [1, 28, 28],
        "range": [-1, 1],
        "fit": "cropped from 32x32 to 28x28",
    }
    assert card["weights"] == "moving average" and card["iteration"] == 7
    assert card["ganlib"] == ganlib.__version__ and card["settings"]["width"] == 0.05
    assert "secret" not in json.dumps(card)


def test_snippet_of_the_card_runs(run: Run, snapshot: Path) -> None:
    run("export", snapshot, "--out", "out", "--format", "safetensors")
    snippet = json.loads(Path("out/model_card.json").read_text("utf-8"))["python"]
    names: dict[str, Any] = {}
    exec(snippet.replace("THIS FOLDER", "out"), names)
    assert names["images"].shape == (64, 1, 28, 28) and Path("samples.png").exists()


def test_images_seen(snapshot: Path) -> None:
    content = torch.load(snapshot, weights_only=True)
    content["updater"]["positions"] = {"": 448}
    torch.save(content, snapshot)
    assert model_card(ganlib.load(snapshot))["images_seen"] == 448


def test_no_file_of_another_export_stays(run: Run, snapshot: Path) -> None:
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    Path("out/generator.onnx").write_text(MARK)
    assert run("export", snapshot, "--out", "out", "--format", "safetensors").exit_code == 0
    names = {path.name for path in Path("out").iterdir()}
    assert names == {
        *("README.md", "generator.safetensors", "model_card.json", "notes.txt", "samples.png")
    }


def test_without_onnx(run: Run, snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    error = run("export", snapshot, "--out", "out", "--format", "onnx").exception
    assert isinstance(error, UserError) and "pip install ganlib[onnx]" in str(error)
    assert not Path("out").exists()
    result = run("export", snapshot, "--out", "out")
    assert result.exit_code == 0 and "pip install ganlib[onnx]" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("out/generator.onnx").exists()
    assert Path("out/generator.safetensors").exists()


def test_out_that_is_a_file(run: Run, snapshot: Path) -> None:
    Path("out").touch()
    assert "give a folder" in str(run("export", snapshot, "--out", "out").exception)
    assert "out/x" in str(run("export", snapshot, "--out", "out/x").exception)


def test_folder_without_an_export(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="model_card.json"):
        load_export(tmp_path)


def test_damaged_export(run: Run, snapshot: Path) -> None:
    run("export", snapshot, "--out", "out", "--format", "safetensors")
    weights = Path("out/generator.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="generator.safetensors"):
        load_export("out")


def test_a_damaged_export_is_refused(run: Run, snapshot: Path) -> None:
    assert run("export", snapshot, "--out", "out", "--format", "safetensors").exit_code == 0
    weights, card = Path("out/generator.safetensors"), Path("out/model_card.json")
    whole = weights.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    weights.write_bytes(flipped)
    with pytest.raises(UserError, match="generator.safetensors is damaged, or not that of its"):
        load_export("out")
    weights.write_bytes(whole)
    good = json.loads(card.read_text())
    changes: list[dict[str, Any]] = [{"data": 3}, {"settings": None}, {"settings": {"width": "x"}}]
    odd = [{"data": {"image": [1, 2]}}, {"data": {**good["data"], "classes": [{}]}}]
    for change in [*changes, *odd, {"iteration": "x"}]:
        card.write_text(json.dumps({**good, **change}))
        with pytest.raises(UserError, match="out does not fit this ganlib"):
            load_export("out")
    card.write_text("[1]")
    with pytest.raises(UserError, match="out does not fit this ganlib"):
        load_export("out")
    card.write_text(json.dumps({k: v for k, v in good.items() if k != "sha256"}))
    assert load_export("out").sample(1).shape == (1, 1, 28, 28)


def test_what_could_not_be_written_leaves_the_old_export(
    run: Run, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("export", snapshot, "--out", "out", "--format", "safetensors").exit_code == 0
    before = {p.name: p.read_bytes() for p in Path("out").iterdir()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganlib.sampling.exports.export.write_card", full)
    error = run("export", snapshot, "--out", "out", "--format", "safetensors").exception
    assert isinstance(error, UserError) and "No space left on device" in str(error)
    assert {p.name: p.read_bytes() for p in Path("out").iterdir()} == before
