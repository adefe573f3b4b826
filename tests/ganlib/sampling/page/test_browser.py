"""The page in a browser: each control and what it does to pictures, the same random numbers and the
same pictures as here, and what is damaged or hostile.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image

import ganlib
from ganlib.common.data import POINTS, DataSpec
from ganlib.common.io.server import Server
from ganlib.common.pictures import to_uint8
from ganlib.common.seeds import generator
from ganlib.common.sources.edges import edges
from ganlib.contract.fixtures import small_updater
from ganlib.runs.settings import resolve
from ganlib.sampling.model import Model, assemble
from ganlib.sampling.page import exploring
from ganlib.sampling.page.writing import write_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
EVIL = '<img src=x onerror=alert(1)>"$(touch x)`'
Make = Callable[..., Path]
Run = Callable[..., Result]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium, nor google-chrome"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    library = pytest.importorskip(
        "playwright.sync_api", reason="pip install playwright, which drives the browser"
    )
    with library.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page in which nothing may go wrong."""
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    one, wrong = context.new_page(), []
    one.on("pageerror", lambda error: wrong.append(f"{error} {error.stack}"))
    one.on("dialog", lambda dialog: wrong.append(dialog.message))
    yield one
    context.close()
    assert not wrong


def opened(page: Any, folder: Path, hash: str = "") -> None:
    page.goto("about:blank")
    page.goto(f"{(folder / 'index.html').as_uri()}{hash}")
    page.wait_for_selector("#status[hidden], #status.wrong", state="attached", timeout=60_000)
    assert page.get_attribute("#status", "class") != "wrong"


def pixels(page: Any, selector: str = "#picture") -> Any:
    """(H, W, 4) of a canvas, once nothing is being drawn."""
    shown = page.evaluate(
        """async (selector) => {
            await globalThis.ganlib.showing;
            const canvas = document.querySelector(selector);
            const { data, width, height } = canvas.getContext("2d").getImageData(
                0, 0, canvas.width, canvas.height);
            return [Array.from(data), height, width];
        }""",
        selector,
    )
    return np.array(shown[0], np.uint8).reshape(shown[1], shown[2], 4)


def changes(page: Any, act: Callable[[], Any], selector: str = "#picture") -> Any:
    """The picture after something was done that has to change it."""
    before = pixels(page, selector).tobytes()
    act()
    for _ in range(1200):
        after = pixels(page, selector)
        if after.tobytes() != before:
            return after
        page.wait_for_timeout(50)
    raise AssertionError(f"{selector} stays as it was")


def slide(page: Any, selector: str, value: float) -> None:
    page.eval_on_selector(
        selector,
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }",
        value,
    )


def saved(page: Any, selector: str, path: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(selector)
    waiting.value.save_as(path)
    return path


@pytest.fixture
def classes(make_snapshot: Make, tmp_path: Path) -> Path:
    """The page of a generator of classes."""
    spec = DataSpec((1, 32, 32), (1, 28, 28), "pad", 3, classes=("top", EVIL, "靴"))
    write_page(ganlib.load(make_snapshot("cgan", spec)), folder(tmp_path))
    return tmp_path / "page"


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    """The page of a generator that draws from codes, grows and has noise of its own."""
    settings = resolve({"algorithm": "stylegan2", "architecture": "quick", "width": 0.1}).flat()
    torch.manual_seed(0)
    updater = assemble(settings, DataSpec((3, 16, 16), (3, 16, 16)))
    model = Model(updater, settings, tmp_path)
    for name, parameter in model.updater.sampling_gen.named_parameters():
        if name.endswith("noise.strength"):
            parameter.data.fill_(0.5)
    write_page(model, folder(tmp_path))
    return tmp_path / "page"


def folder(tmp_path: Path) -> Path:
    made = tmp_path / "page"
    made.mkdir()
    return made


def test_random_numbers_are_torchs(page: Any, classes: Path) -> None:
    opened(page, classes)
    parts = [
        {"name": "a", "size": 7, "kind": "normal"},
        {"name": "b", "size": 3, "kind": "category"},
        {"name": "c", "size": 2, "kind": "uniform"},
    ]
    found = page.evaluate(
        """(parts) => {
            const marginal = [0.2, 0.5, 0.3], classes = ["x", "y", "z"], rows = [];
            const latents = new Latents({ parts, told: "labels", classes, marginal });
            for (let seed = 0; seed < 1000; seed++) {
                const number = seed * 7 % 600;
                rows.push([...latents.z(seed, number), latents.drawnClass(seed, number)]);
            }
            return rows;
        }""",
        parts,
    )
    weights = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    for seed, row in enumerate(torch.tensor(found)):
        block, place = divmod(seed * 7 % 600, 256)
        random = generator(seed, "sample", block)
        normal = torch.empty(256, 7).normal_(generator=random)
        category = torch.eye(3)[torch.randint(3, (256,), generator=random)]
        uniform = torch.empty(256, 2).uniform_(-1, 1, generator=random)
        z = torch.cat([normal, category, uniform], 1)[place]
        torch.testing.assert_close(row[:-1], z, atol=1e-6, rtol=0)
        told = torch.multinomial(weights, 256, True, generator=generator(seed, "class", block))
        assert row[-1] == told[place]


def test_pictures_are_pytorchs_and_come_back_by_commands(
    page: Any, classes: Path, run: Run, tmp_path: Path
) -> None:
    opened(page, classes, "#seed=3&from=40&psi=0.7&chosen=s3_43_c1")
    assert page.text_content("#caption") == f"Sample 43 of seed 3, {EVIL}"
    model = ganlib.load(tmp_path / "run")
    want = model.updater.sample_stream(3, 0.7, 1).images([43])
    drawn = page.evaluate(
        """async () => {
            const { network, state } = globalThis.ganlib;
            const { images } = await globalThis.ganlib.draw(
                network, await globalThis.ganlib.codesOf(network, state.chosen));
            return Array.from(images.data);
        }"""
    )
    torch.testing.assert_close(torch.tensor(drawn), want.flatten(), atol=1e-3, rtol=0)
    here = saved(page, "#save", tmp_path / "saved.png")
    command = page.text_content("#command")
    assert command.startswith("ganlib sample FOLDER --seed 3 --numbers 43 --class ")
    made = ["sample", "run", "--seed", 3, "--numbers", 43, "--class", EVIL, "--truncation", 0.7]
    assert run(*made, "--plain", "--out", "again.png").exit_code == 0
    assert off(here, tmp_path / "again.png") <= 1

    slide(page, "[data-direction='1']", 2)
    page.evaluate("globalThis.ganlib.showing")
    moved = saved(page, "#save", tmp_path / "moved.png")
    assert off(here, moved) > 1
    saved(page, "#codes", tmp_path / "codes.npz")
    assert page.text_content("#command").startswith("ganlib sample FOLDER --codes codes.npz")
    assert run("sample", "run", "--codes", "codes.npz", "--plain", "--out", "c.png").exit_code == 0
    assert off(moved, tmp_path / "c.png") <= 1


def off(a: Path, b: Path) -> int:
    """The largest difference of two pictures, in levels."""
    x, y = (np.asarray(Image.open(path).convert("RGB"), int) for path in (a, b))
    return int(abs(x - y).max())


def test_each_control_of_a_generator_of_classes(page: Any, classes: Path) -> None:
    opened(page, classes)
    tile = "#wall .tile:nth-child(2) canvas"
    first = pixels(page, tile)
    changes(page, lambda: (page.fill("#seed", "5"), page.press("#seed", "Enter")), tile)
    changes(page, lambda: page.select_option("#class", "2"), tile)
    changes(page, lambda: page.click("#on"), tile)
    changes(page, lambda: page.click("#back"), tile)
    changes(page, lambda: slide(page, "#psi", 0.3), tile)
    changes(page, lambda: slide(page, "#psi", 2.05), tile)
    changes(page, lambda: page.select_option("#class", "each"), tile)
    changes(page, lambda: page.select_option("#class", ""), tile)
    changes(page, lambda: (page.fill("#seed", "0"), page.press("#seed", "Enter")), tile)
    assert pixels(page, tile).tobytes() == first.tobytes()

    changes(page, lambda: page.click(tile))
    assert page.get_attribute("#wall .tile:nth-child(2)", "aria-pressed") == "true"
    page.focus("#wall .tile:nth-child(2)")
    page.keyboard.press("ArrowRight")
    changes(page, lambda: page.keyboard.press("Enter"))
    page.keyboard.press("k")
    page.keyboard.press("ArrowDown")
    changes(page, lambda: page.keyboard.press("Enter"))
    page.click("#keep")
    assert page.locator(".keep").count() == 2
    changes(page, lambda: slide(page, "[data-direction='0']", 1.5))
    total = changes(page, lambda: page.click("#sum"))
    page.click(".keep:nth-child(2) [aria-label=added]")
    assert changes(page, lambda: page.click("#sum")).tobytes() != total.tobytes()
    changes(page, lambda: page.click("#walk"))
    page.click("#walk")
    page.wait_for_function("() => !globalThis.ganlib.walking")
    page.click("#walk")
    page.click("#keep")
    page.click(".keep:nth-child(1) [aria-label=remove]")
    assert page.text_content("#walk") == "Stop"
    page.click(".keep:nth-child(1) [aria-label=remove]")  # of one there is no walk
    page.wait_for_selector("#walk:disabled >> text=Walk")
    page.click("#keep")

    changes(page, lambda: page.click(".keep:nth-child(1) .tile"))
    changes(page, lambda: page.select_option("#class", "1"), tile)
    shown, wall, address = pixels(page), pixels(page, tile), page.url
    opened(page, classes, address[address.index("#") :])
    assert pixels(page).tobytes() == shown.tobytes()
    assert pixels(page, tile).tobytes() == wall.tobytes()
    assert page.locator(".keep").count() == 2
    page.click(".keep:nth-child(1) [aria-label=remove]")
    assert page.locator(".keep").count() == 1

    page.evaluate("location.hash = 'seed=5'")  # a link that is pasted into an open page
    page.wait_for_selector("#caption >> text=Sample 0 of seed 5")
    changes(page, lambda: slide(page, "[data-direction='0']", 3))


def test_codes_noise_layers_and_sizes(page: Any, styles: Path, tmp_path: Path) -> None:
    opened(page, styles)
    assert page.locator("#growing canvas").count() == 2
    assert pixels(page, "#growing canvas:nth-child(1)").shape == (4, 4, 4)
    changes(page, lambda: page.click("#noise"))
    changes(page, lambda: page.click("#noise"))
    changes(page, lambda: slide(page, "#psi", 0.5))
    changes(page, lambda: slide(page, "[data-direction='5']", 2))
    page.click("#keep")
    changes(page, lambda: page.click("#wall .tile:nth-child(3)"))
    page.click("#keep")
    page.click("#mix")
    page.wait_for_function("() => document.querySelectorAll('#mixed .tile').length === 4")
    before = changes(page, lambda: page.click("#mixed .tile:nth-child(2)")).tobytes()
    changes(page, lambda: slide(page, "#first", 1), "#mixed .tile:nth-child(2) canvas")
    assert changes(page, lambda: page.click("#mixed .tile:nth-child(2)")).tobytes() != before
    saved(page, "#codes", tmp_path / "codes.npz")
    with np.load(tmp_path / "codes.npz") as arrays:
        assert arrays["codes"].shape[:2] == (1, 6) and str(arrays["space"]) == "layers"


def test_points_are_a_plot(page: Any, make_snapshot: Make, tmp_path: Path) -> None:
    path = make_snapshot("gan", DataSpec(POINTS, POINTS), architecture="mlp")
    write_page(ganlib.load(path), folder(tmp_path))
    opened(page, tmp_path / "page")
    assert not page.is_visible("#shown")
    assert pixels(page, "#wall canvas")[..., 3].any()
    changes(page, lambda: page.click("#on"), "#wall canvas")


def test_a_second_generator_is_shown_the_same_latents(
    page: Any, make_snapshot: Make, tmp_path: Path
) -> None:
    first = ganlib.load(make_snapshot("dcgan"))
    second = ganlib.load(make_snapshot("dcgan", iteration=8))
    for parameter in second.updater.sampling_gen.parameters():
        parameter.data.mul_(1.3)
    write_page(first, folder(tmp_path), beside=second)
    opened(page, tmp_path / "page", "#chosen=s0_5")
    want = to_uint8(second.sample(6)[5]).permute(1, 2, 0).numpy()
    assert abs(pixels(page, "#beside")[..., :1].astype(int) - want).max() <= 1
    assert page.is_visible("#second")


def test_a_translator_takes_examples_drawings_and_uploads(page: Any, tmp_path: Path) -> None:
    model = small_model("pix2pix", tmp_path)
    model.settings["source"] = "edges"
    write_page(model, folder(tmp_path))
    opened(page, tmp_path / "page")
    changes(page, lambda: page.click("#source .tile:nth-child(2)"))
    changes(page, lambda: page.click("#clear"), "#drawing")
    assert page.input_value("#drawing + .tools [type=color]") == "#ffffff"  # on black
    box = page.locator("#drawing").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    changes(page, lambda: page.mouse.move(box["x"] + 90, box["y"] + 60))
    page.mouse.up()
    picture = io.BytesIO()
    Image.effect_noise((50, 40), 80).save(picture, "PNG")
    file = {"name": "x.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    changes(page, lambda: page.set_input_files("#upload", file))
    channels, height, width = model.spec.native
    x = torch.randint(256, (channels, height, width), generator=generator(0)).byte()
    exact = io.BytesIO()
    Image.fromarray(x.permute(1, 2, 0).squeeze().numpy()).save(exact, "PNG")
    file["buffer"] = exact.getvalue()
    changes(page, lambda: page.set_input_files("#upload", file))
    drawn = pixels(page, "#drawing")[..., 0]
    np.testing.assert_array_equal(drawn, np.pad(edges(x[None])[0, 0].numpy(), 2))
    file["buffer"] = b"no picture"
    page.set_input_files("#upload", file)
    page.wait_for_selector("text=no picture that this browser can read")


def small_model(name: str, out: Path) -> Model:
    """Of a method on its example, as it is before training."""
    updater = small_updater(name)
    return Model(updater, resolve({"algorithm": name}).flat(), out)


def test_a_film_goes_on(page: Any, tmp_path: Path) -> None:
    write_page(small_model("pgn", tmp_path), folder(tmp_path))
    opened(page, tmp_path / "page")
    changes(page, lambda: page.click("#play"))
    changes(page, lambda: None, "#drawing")  # the past moves on
    page.click("#play")
    page.wait_for_selector("#play >> text=Play")


def test_what_pytorch_behind_the_page_can_do(
    page: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploring, "STEPS", 3)
    page.goto(server.url)
    page.wait_for_selector("#status[hidden]", state="attached", timeout=60_000)
    changes(page, lambda: page.click("#wall .tile:nth-child(2)"))
    assert page.text_content("#asked output") == "7"
    changes(page, lambda: slide(page, "#iteration", 1))
    assert page.text_content("#asked output") == "9"
    assert page.text_content("#command").startswith("ganlib sample FOLDER --at 9 --seed 0 ")
    page.click("#nearest")
    page.wait_for_selector("#nearest-images canvas")
    assert page.locator("#nearest-images canvas").count() == exploring.NEAREST
    picture = io.BytesIO()
    Image.effect_noise((50, 40), 80).save(picture, "PNG")
    file = {"name": "x.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    changes(page, lambda: page.set_input_files("#invert", file))
    page.wait_for_selector("text=The nearest that was found")
    server.shutdown()
    server.server_close()
    page.evaluate("say('')")
    page.click("#wall .tile:nth-child(3)")
    page.wait_for_selector("#status.wrong")
    page.evaluate("say('')")
    page.click("#nearest")
    page.wait_for_selector("#status.wrong")


def test_on_a_telephone_nothing_sticks_out(page: Any, classes: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    opened(page, classes)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360


@pytest.mark.parametrize("file", ["model.js", "runtime.js"])
@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_damage_is_said(browser: Any, classes: Path, file: str, damage: str) -> None:
    path = classes / file
    content = path.read_text("utf-8")
    if damage == "missing":
        path.unlink()
    elif file == "runtime.js":
        path.write_text(content.replace('wasm: "', 'wasm: "AAAA'), "utf-8")
    else:
        said = json.loads(content[content.index("push(") + 5 : content.rindex(")")])
        said["graphs"]["images"] = said["graphs"]["images"][:400]
        path.write_text(f"globalThis.ganlibModels = [{json.dumps(said)}];", "utf-8")
    one = browser.new_page()
    one.goto((classes / "index.html").as_uri())
    one.wait_for_selector("#status.wrong", timeout=60_000)
    assert "missing or damaged" in one.text_content("#status")
    one.close()
