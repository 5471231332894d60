"""The page of `panflow serve` in a real browser: it draws both sides, swipes, zooms, and asks nobody else."""

import base64
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from panflow import sensors
from panflow.data import synthetic

pytest.importorskip("rio_tiler", reason="the extra tiles is not installed")

DRIVER = shutil.which("chromedriver")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1000,700"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SWIPE = 'return document.getElementById("swipe").style.left'
LOADED = """const images = [...document.images];
return images.length > 0 && images.every((image) => image.complete && image.naturalWidth > 0)"""


class Browser:
    """Chromium behind the WebDriver protocol."""

    def __init__(self, port, profile):
        self.root = f"http://127.0.0.1:{port}/session"
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        logged = {"performance": "ALL", "browser": "ALL"}
        always = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logged}
        self.root += "/" + self.call("", {"capabilities": {"alwaysMatch": always}})["sessionId"]

    def call(self, path, data=None):
        body = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(urllib.request.Request(self.root + path, body), timeout=120) as answer:
            return json.load(answer)["value"]

    def run(self, script):
        return self.call("/execute/sync", {"script": script, "args": []})

    def until(self, script):
        end = time.monotonic() + 60
        while not self.run(script):
            assert time.monotonic() < end, script
            time.sleep(0.1)

    def picture(self):
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(self.call("/screenshot")))).convert("RGB"), dtype=int)

    def drag(self, start, end):
        moves = [{"type": "pointerMove", "duration": 0, "x": x, "y": y} for x, y in (start, end)]
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        mouse = {"type": "pointer", "id": "mouse", "actions": [moves[0], down, moves[1], up]}
        self.call("/actions", {"actions": [mouse]})


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    files = synthetic.write(synthetic.scene(600, sensors.load("ikonos"), seed=1), folder, phase=(1.5, 1.5))
    command = [sys.executable, "-m", "panflow", "serve", str(files["pan"]), str(files["ms"]), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        yield re.search(r"http://\S+", server.stdout.readline())[0]
        server.terminate()


@pytest.fixture(scope="module")
def browser(address, tmp_path_factory):
    if DRIVER is None:
        pytest.skip("Chromium's driver is not installed (Debian: apt-get install chromium chromium-driver)")
    port = free_port()
    driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5)
                break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < end
                time.sleep(0.1)
        one = Browser(port, tmp_path_factory.mktemp("profile"))
        one.call("/url", {"url": address})
        one.until(LOADED)
        yield one
        urllib.request.urlopen(urllib.request.Request(one.root, method="DELETE"), timeout=60)
    finally:
        driver.kill()  # a polite word is not always heard
        driver.wait()


def detail(picture):
    """How much neighbouring pixels differ left and right of the middle."""
    rows = picture[150:650]
    return [np.abs(np.diff(part, axis=1)).mean() for part in (rows[:, 300:470], rows[:, 530:700])]


def test_ms_is_left_and_the_sharpened_image_right(browser):
    left, right = detail(browser.picture())
    assert right > 1.5 * left > 0


def test_the_border_is_dragged(browser):
    before = browser.picture()
    browser.drag((500, 400), (250, 400))
    assert browser.run(SWIPE) == "250px"
    after = browser.picture()
    assert detail(after)[0] > 1.5 * detail(before)[0]
    assert detail(after)[1] == pytest.approx(detail(before)[1], rel=0.05)
    browser.drag((250, 400), (420, 400))
    assert browser.run(SWIPE) == "420px"
    if os.environ.get("PANFLOW_SCREENSHOT"):  # for the docs
        Image.fromarray(browser.picture().astype(np.uint8)).save(os.environ["PANFLOW_SCREENSHOT"])


def test_keys_move_the_border_and_the_map(browser):
    browser.run('document.getElementById("swipe").focus()')
    keys = [{"type": kind, "value": "\ue014"} for kind in ("keyDown", "keyUp")]  # the arrow to the right
    browser.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": keys}]})
    assert browser.run(SWIPE) == "440px"
    place = browser.run("return view.x")
    browser.run('document.getElementById("in").click(); document.getElementById("map").focus()')
    browser.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": keys}]})
    assert browser.run("return view.x") > place


def test_zooming_and_another_method_load_other_tiles(browser):
    zoom = browser.run("return view.zoom")
    browser.run('document.getElementById("in").click()')
    assert browser.run("return view.zoom") == pytest.approx(zoom + 1)
    browser.run("""const right = document.getElementById("right");
right.value = "brovey"; right.dispatchEvent(new Event("change"));""")
    browser.until(LOADED)
    tiles = browser.run('return [...document.querySelectorAll("#after img")].map((image) => image.dataset.tile)')
    assert tiles and all(tile.startswith("brovey/") for tile in tiles)
    assert browser.run('return document.getElementById("rightname").textContent') == "brovey"


def test_nothing_is_asked_of_anybody_else(browser, address):
    events = [json.loads(entry["message"])["message"] for entry in browser.call("/se/log", {"type": "performance"})]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert len(asked) > 5
    assert {url.split("/")[2] for url in asked if url.startswith(("http", "ws"))} == {address.split("/")[2]}
    errors = [entry for entry in browser.call("/se/log", {"type": "browser"}) if entry["level"] == "SEVERE"]
    assert not [entry for entry in errors if "404" not in entry["message"]]
