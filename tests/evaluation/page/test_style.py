"""The page in a browser: light, dark and on a phone."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BROWSERS = [p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))]
MEASURE = """<body><iframe id="f" src="page.html" style="border:0;width:375px;height:9000px">
</iframe><script>onload = () => { const d = document.getElementById('f').contentDocument;
document.body.dataset.width = d.documentElement.scrollWidth;
document.body.dataset.images = [...d.images].filter(i => i.naturalWidth > 0).length; }</script>"""
Make = Callable[..., Path]
Html = Callable[[], str]


@pytest.mark.slow
@pytest.mark.parametrize("browser", BROWSERS[:1])
def test_a_browser_shows_it_light_dark_and_on_a_phone(
    browser: str, make: Make, tmp_path: Path, html: Html
) -> None:
    for algorithm in ("dcgan", "a_method_of_a_rather_long_name", "sngan"):
        make(algorithm, n=400)
    (tmp_path / "page.html").write_text(html())
    (tmp_path / "measure.html").write_text(MEASURE)

    def call(page: str, *flags: str) -> str:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *flags]
        command += ["--disable-background-networking", "--allow-file-access-from-files"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", f"file://{tmp_path / page}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        return done.stdout

    measured = call("measure.html", "--dump-dom", "--virtual-time-budget=5000")
    assert 'data-width="375"' in measured and 'data-images="6"' in measured
    brightness = {}
    for scheme in (0, 1):
        shot = tmp_path / f"{scheme}.png"
        settings = f"--blink-settings=preferredColorScheme={scheme}"
        call("page.html", f"--screenshot={shot}", "--window-size=1200,1600", settings)
        with Image.open(shot) as image:
            pixels = np.asarray(image.convert("L"), float)
        assert pixels.std() > 10
        brightness[scheme] = float(np.median(pixels))
    assert brightness[0] < 60 and brightness[1] > 200


@pytest.mark.slow
@pytest.mark.parametrize("browser", BROWSERS[:1])
def test_a_table_that_is_cut_off_has_a_shadow_there(
    browser: str, make: Make, tmp_path: Path, html: Html
) -> None:
    make("a_method_of_a_rather_long_name", n=400)
    (tmp_path / "page.html").write_text(html())
    edges = {}
    for width in (500, 1200):
        call = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        call += [f"--screenshot={tmp_path / 'x.png'}", f"--window-size={width},700"]
        call += [
            f"--user-data-dir={tmp_path / 'profile'}",
            "--blink-settings=preferredColorScheme=1",
        ]
        subprocess.run([*call, f"file://{tmp_path / 'page.html'}"], timeout=120, check=True)
        with Image.open(tmp_path / "x.png") as image:
            grey = np.asarray(image.convert("L"), float)
        beside = max(20, (width - 1152) // 2 + 20)  # the padding of the body, 20 pixels
        edges[width] = np.median(grey[150:350, width - beside - 3 : width - beside])
    assert edges[500] < 235 < edges[1200]
