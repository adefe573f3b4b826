"""The files of a page: graphs held against PyTorch, weights in fewer bits, what it is told."""

import base64
import json
import math
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import Result

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.io.files import is_ours
from ganlib.common.seeds import generator
from ganlib.common.sources.edges import edges
from ganlib.contract.fixtures import small_updater
from ganlib.registry import algorithms
from ganlib.runs.settings import resolve
from ganlib.sampling import directions
from ganlib.sampling.model import Model
from ganlib.sampling.page.graphs import SOURCE, graphs_of, source_graph, write_graphs
from ganlib.sampling.page.told import told
from ganlib.sampling.page.weights import store
from ganlib.sampling.page.writing import MODEL, page, write_page

Make = Callable[..., Path]
Run = Callable[..., Result]
onnx: Any = import_module("onnx")  # which has no types


def ran(path: Path, **inputs: torch.Tensor) -> list[torch.Tensor]:
    runtime: Any = import_module("onnxruntime")  # which has no types
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {one.name: inputs[one.name].numpy() for one in session.get_inputs()}
    return [torch.from_numpy(x) for x in session.run(None, feed)]


def test_a_folder_with_all_that_a_page_needs(run: Run, make_snapshot: Make) -> None:
    names, often = ("</script>", "b"), (0.25, 0.75)
    spec = DataSpec((1, 32, 32), (1, 28, 28), "pad", 2, classes=names, marginal=often)
    path = make_snapshot("cgan", spec, dataset=str(Path.cwd() / "photos"))
    result = run("export", path, "--out", "out", "--page", "--precision", "float16")
    assert result.exit_code == 0, result.output
    for name in ("index.html", "model.js", "runtime.js"):
        assert is_ours(Path("out", name))
    again = ganlib.load("out").sample(2)
    torch.testing.assert_close(again, ganlib.load(path).sample(2), atol=0.01, rtol=0)
    assert "The folder takes " in result.stderr and "at most" in result.stderr
    said = Path("out/model.js").read_text("utf-8")
    content = json.loads(said[said.index("push(") + 5 : said.rindex(")")])
    about, graphs = content["about"], content["graphs"]
    assert about["classes"] == ["</script>", "b"] and about["marginal"] == [0.25, 0.75]
    assert str(Path.cwd()) not in said  # where data lie is nobody else's business
    assert about["told"] == "labels" and about["parts"][0]["size"] == 100
    assert 0 < about["difference"]["most"] < 4
    Path("images.onnx").write_bytes(base64.b64decode(graphs["images"]))
    model = ganlib.load(path)
    z, y = model.latents([0, 1, 2], y=[0, 1, 1])
    parts = torch.nn.functional.one_hot(torch.tensor([0, 1, 1]), 2).float()
    (images,) = ran(Path("images.onnx"), codes=z, y=parts)
    torch.testing.assert_close(images, model.decode(z, y), atol=0.03, rtol=0)
    Path("out/index.html").write_text("mine")
    assert run("export", path, "--out", "out", "--page").exit_code != 0


def test_one_file(run: Run, make_snapshot: Make) -> None:
    path = make_snapshot()
    assert run("export", path, "--out", "gan", "--format", "safetensors", "--zip").exit_code == 0
    with zipfile.ZipFile("gan.zip") as archive:
        assert "gan/generator.safetensors" in archive.namelist()
        archive.extractall()
    assert torch.equal(ganlib.load("gan").sample(2), ganlib.load(path).sample(2))


def test_beside_needs_a_page_and_latents_alike(
    main_here: Callable[..., Any], make_snapshot: Make
) -> None:
    path = make_snapshot()
    result = main_here("export", path, "--out", "out", "--beside", path)
    assert result.returncode == 2 and "give --page too" in result.stderr


def test_html_holds_no_more_than_it_is_told() -> None:
    html = page("<img src=x onerror=alert(1)>", ["model.js"])
    assert "<img" not in html and "&lt;img" in html
    assert "default-src 'none'" in html and '<script src="model.js">' in html


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_weights_in_fewer_bits(tmp_path: Path, precision: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(8, 32)).astype(np.float32)
    rows[3] = 0
    small = np.arange(8, dtype=np.float32)
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Add", ["h", "b"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 32])],
        [onnx.numpy_helper.from_array(rows, "w"), onnx.numpy_helper.from_array(small[:1], "b")],
    )
    path = tmp_path / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    before = path.stat().st_size
    store(path, precision)
    onnx.checker.check_model(onnx.load(path))
    assert path.stat().st_size < before - (rows.nbytes // 3)
    if precision == "float16":
        want = rows.astype(np.float16).astype(np.float32)
    else:
        scale = np.abs(rows).max(1, keepdims=True) / 127
        want = np.round(rows / np.where(scale, scale, 1)) * scale
    (found,) = ran(path, x=torch.eye(8))
    np.testing.assert_allclose(found.numpy(), want + small[:1], atol=1e-6)


def test_what_a_page_is_told_of_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "SAMPLES", 256)
    model = Model(small_updater("stylegan2"), resolve({"algorithm": "stylegan2"}).flat(), tmp_path)
    gen = model.updater.sampling_gen
    gen.w_mean.normal_()
    about = told(model, model.updater.sample_stream(0))
    assert about["codes"] and about["styles"] == gen.n_styles
    torch.testing.assert_close(torch.tensor(about["average"]), gen.w_mean)
    kinds = [way["kind"] for way in about["directions"]]
    assert kinds.count("pca") == kinds.count("sefa") == 5
    found = model.directions("pca", 1, "code")
    step = torch.tensor(about["directions"][kinds.index("pca")]["step"])
    torch.testing.assert_close(step.norm(), found.deviations[0])


def test_pictures_become_what_is_started_from_as_in_training(tmp_path: Path) -> None:
    settings = resolve({"algorithm": "pix2pix"}).flat()
    model = Model(small_updater("pix2pix"), settings, tmp_path)
    assert not source_graph(model)
    settings["source"] = "edges"
    write_graphs(source_graph(model), tmp_path)
    x = torch.randint(256, (3, *model.spec.native), generator=generator(0)).byte()
    (found,) = ran(tmp_path / SOURCE, picture=x / 127.5 - 1)
    assert model.spec.source == (1, 32, 32)
    want = F.pad(edges(x), (2, 2, 2, 2))
    assert torch.equal(found, want / 127.5 - 1) and 0 < want.float().mean() < 255
    settings["source"] = "masked"  # which draws numbers in Python
    told = write_page(model, tmp_path)
    assert '"source": "' not in (tmp_path / MODEL).read_text("utf-8")
    assert told["source"]["made"].startswith("masked")


def test_latents_that_differ_are_not_shown_side_by_side(
    tmp_path: Path, make_snapshot: Make
) -> None:
    a, b = ganlib.load(make_snapshot("dcgan")), ganlib.load(make_snapshot("gan"))
    with pytest.raises(UserError, match="take the same latents"):
        write_page(a, tmp_path, beside=b)


@pytest.mark.slow
@pytest.mark.parametrize("name", algorithms.names())
def test_every_family_as_graphs(tmp_path: Path, name: str) -> None:
    updater = small_updater(name)
    stream = updater.sample_stream(0)
    if stream.bn_mode == "batch":
        stream = updater.sample_stream(0, statistics="standing:2")
    graphs = graphs_of(stream)
    write_graphs(graphs, tmp_path)
    for file, (module, inputs, outputs) in graphs.items():
        # of another number than they were traced with
        three = {k: x if x.dim() == 0 else torch.cat([x, x[:1]]) for k, x in inputs.items()}
        found = ran(tmp_path / file, **three)
        with torch.no_grad(), module.ready():
            want = module(**three)
        assert len(found) == len(outputs)
        for a, b in zip(found, want if isinstance(want, tuple) else [want], strict=True):
            assert a.shape == b.shape and math.isfinite(float(a.sum()))
            torch.testing.assert_close(a, b, atol=1e-3, rtol=0)
