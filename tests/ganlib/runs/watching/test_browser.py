"""The page in a browser, while runs go on: what is new appears, whatever they are called, and the
page lasts longer than who serves it.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.io.server import Server

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
SOON = 2500  # milliseconds: a second between two questions, and one between two looks
EVIL = "<img src=x onerror=alert(1)>"
Begin = Callable[..., Any]
Serving = Callable[..., AbstractContextManager[Server]]
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
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    one, wrong = context.new_page(), []
    one.on("pageerror", lambda error: wrong.append(f"{error} {error.stack}"))
    one.on("dialog", lambda dialog: wrong.append(dialog.message))
    yield one
    context.close()
    assert not wrong


def test_what_a_run_writes_is_seen_soon_and_without_a_reload(
    serving: Serving, begin: Begin, tmp_path: Path, page: Any
) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    with serving(folder) as server:
        page.goto(server.url)
        page.evaluate("window.mine = 1")
        page.wait_for_selector("text=No run lies here yet")
        run = begin("wgan")
        for i in (1, 2, 3):
            run.log(100 * i, loss_gen=i / 4)
        first = run.grid(100)
        page.wait_for_selector("#runs >> text=wgan, seed 0", timeout=SOON)
        assert page.text_content("#runs .state") == "running"
        page.locator(".panel").first.scroll_into_view_if_needed()
        page.wait_for_selector(".panel canvas")
        page.wait_for_function(
            "[...document.images].some((i) => i.naturalWidth === 20)", timeout=SOON
        )
        time.sleep(1)
        run.log(400, loss_gen=1.0)
        run.grid(400, 9)
        page.wait_for_selector("#runs >> text=400 of 1,000", timeout=SOON)
        page.wait_for_selector("figcaption >> text=iteration 400", timeout=SOON)
        # back to the first grid, which stays while others come
        page.locator(".scrub input").focus()
        page.keyboard.press("ArrowLeft")
        assert page.text_content("figure .at") == "iteration 100"
        source = page.get_attribute("figure[data-grid] img", "src")
        assert page.request.get(f"{server.url}{source}").body() == first.read_bytes()
        run.grid(700, 5)
        run.done()
        page.wait_for_selector("#runs .state.done", timeout=SOON)
        assert page.text_content("figure .at") == "iteration 100"
        assert page.evaluate("window.mine") == 1


def test_what_the_reader_has_chosen_stays(
    serving: Serving, begin: Begin, tmp_path: Path, page: Any
) -> None:
    runs = [begin(name, seed) for name in ("dcgan", "wgan") for seed in (0, 1)]
    for k, run in enumerate(runs):
        for i in (1, 2, 3):
            run.log(100 * i, loss_gen=i + k / 10)
            run.score(100 * i, 9.0 / i + k)
    with serving(tmp_path / "result") as server:
        page.goto(server.url)
        table = "section:not(#runs) table.sorts >> nth=0"
        names = f"{table} >> tbody tr:visible th .label > span:last-child"
        titles = ["dcganunfinished", "wganunfinished"]
        assert page.locator(names).all_text_contents() == titles
        page.locator(f"{table} >> .sort").nth(0).click()
        page.locator(f"{table} >> .sort").nth(0).click()
        assert page.locator(names).all_text_contents() == titles[::-1]
        page.locator("section:not(#runs) >> [name=band]").check()
        page.locator("summary", has_text="Environment").click()
        page.locator(".panel.wide").scroll_into_view_if_needed()
        page.wait_for_selector(".panel.wide canvas")
        page.locator(".panel.wide .u-over").hover()
        page.wait_for_selector(".panel.wide .told >> text=dcgan, unfinished, mean")
        page.locator(".legend button", has_text="dcgan").click()
        page.locator(".about").first.click()
        page.wait_for_selector(".protocol:popover-open")
        runs[0].log(400, loss_gen=5.0)
        runs[0].score(400, 0.5)
        page.wait_for_selector("#runs >> text=400 of 1,000", timeout=SOON)
        page.wait_for_selector(".protocol:popover-open")
        page.keyboard.press("Escape")
        assert page.locator(names).all_text_contents() == titles[::-1]
        assert page.locator("[name=band]").is_checked()
        assert page.locator("details[open] summary", has_text="Environment").count() == 1
        hidden = page.locator(".legend [aria-pressed=false]")
        assert hidden.get_attribute("data-title") == "dcgan, unfinished"
        page.locator("section:not(#runs) >> [name=words]").fill("WGAN")
        assert page.locator(names).all_text_contents() == titles[1:]


def test_hostile_names_are_text(serving: Serving, begin: Begin, tmp_path: Path, page: Any) -> None:
    run = begin(EVIL, name="x'\"><script>alert(2)<|script>")
    for i in (1, 2):
        run.log(i, **{EVIL: float(i), "__proto__": 1.0, f"a/{EVIL}": 2.0})
    run.grid(2)
    run.state("failed", EVIL)
    with serving(tmp_path / "result") as server:
        page.goto(server.url)
        page.locator(".panel").first.scroll_into_view_if_needed()
        page.wait_for_selector(".panel canvas")
        page.locator(".panel .u-over").first.hover()
        run.log(3, **{EVIL: 5.0})
        page.wait_for_selector("#runs >> text=3 of 1,000", timeout=SOON)
        assert page.text_content("#runs .sentence") == EVIL
        assert page.locator("img[src=x]").count() == 0


def test_a_server_goes_away_and_comes_back(begin: Begin, tmp_path: Path, page: Any) -> None:
    run = begin()
    run.log(100, loss=1.0)

    def start(port: str = "0") -> subprocess.Popen[bytes]:
        command = ["-m", "ganlib", "watch", str(tmp_path / "result"), "--port", port]
        return subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE)

    with start() as first:
        assert first.stdout
        url = first.stdout.readline().decode().split()[-1]
        page.goto(url)
        page.wait_for_selector("#live.live")
        first.kill()
    page.wait_for_selector("#live.lost:has-text('No answer from ganlib watch since')")
    run.log(200, loss=2.0)
    with start(url.rpartition(":")[2].strip("/")) as second:
        page.wait_for_selector("#live.live")
        page.wait_for_selector("#runs >> text=200 of 1,000", timeout=SOON)
        second.kill()


def test_a_hundred_runs(serving: Serving, begin: Begin, tmp_path: Path, page: Any) -> None:
    for seed in range(100):
        run = begin(f"method{seed % 20}", seed)
        for i in range(1, 51):
            run.log(10 * i, loss_gen=i / 4, loss_dis=1 / i)
            if i % 10 == 0:
                run.score(10 * i, 50 / i)
        run.grid(500)
    with serving(tmp_path / "result") as server:
        start = time.monotonic()
        page.goto(server.url)
        page.locator(".panel.wide").scroll_into_view_if_needed()
        page.wait_for_selector(".panel.wide canvas")
        assert time.monotonic() - start < 20
        page.locator(".panel.wide .u-over").hover()
        page.wait_for_selector("text=farther away")
        run.log(990, loss_gen=1.0)
        page.wait_for_selector("#runs >> text=990 of 1,000", timeout=4 * SOON)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 900, 400])
def test_nothing_is_wider_than_the_window(
    serving: Serving, width: int, scheme: str, begin: Begin, tmp_path: Path, page: Any
) -> None:
    for name in ("dcgan", "a_method_of_a_rather_long_name"):
        run = begin(name)
        for i in (1, 2, 3):
            run.log(100 * i, loss_gen=i / 4)
            run.score(100 * i, 9.0 / i)
        run.grid(300)
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(color_scheme=scheme)
    with serving(tmp_path / "result") as server:
        page.goto(server.url)
        page.wait_for_selector("#live.live")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(shade.partition("(")[2].partition(",")[0]) < 60) == (scheme == "dark")
        assert all(page.locator("main img").evaluate_all("all => all.map((i) => i.alt)"))
