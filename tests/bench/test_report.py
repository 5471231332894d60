"""The report: one file that needs nothing else, and works in a browser."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import panflow
from panflow.bench import pictures as saved
from panflow.bench import plots
from panflow.bench.table import Cell, Head, Table
from panflow.errors import MissingExtra

SMALL = """
title = "A <small> report"
figures = ["bars", "pareto", "maps", "distributions", "sensors"]
methods = [{ label = "EXP", name = "exp" }, { label = "GSA & co", name = "gsa" }]
indices = [{ index = "sam" }, { index = "ergas" }, { index = "hqnr" }]
data = [{ name = "one", sensor = "ikonos", size = 128 }, { name = "two", sensor = "quickbird", size = 128 }]
"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("report")
    (made / "plan.toml").write_text(SMALL, encoding="utf-8")
    panflow.benchmark(made / "plan.toml", made / "out")
    return made / "out"


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def pictures(text):
    return json.loads(re.search(r"const pictures = (.*);\n", text).group(1))


def test_report_needs_nothing_else(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    sources = [a["src"] for tag, a in page.found if tag in ("img", "script", "link", "iframe") and "src" in a]
    assert len(sources) == 2 + 2 + 4 + 3 + 1 and all(source.startswith("data:image/") for source in sources)
    assert not [a for tag, a in page.found if tag == "link"]
    assert "http" not in re.sub(r"data:image/[^\"]*", "", text)
    assert "A &lt;small&gt; report" in text


def test_any_two_methods_can_be_compared_on_any_image(folder):
    found = pictures((folder / "report.html").read_text(encoding="utf-8"))
    assert set(found) == {f"{d}, scene 0, {p}" for d in ("one", "two") for p in ("reduced", "full")}
    assert list(found["one, scene 0, reduced"]) == ["PAN", "MS, interpolated", "reference", "EXP", "GSA & co"]
    assert list(found["two, scene 0, full"]) == ["PAN", "MS, interpolated", "EXP", "GSA & co"]


def test_controls_have_labels_and_pictures_texts(folder):
    page = Page()
    page.feed((folder / "report.html").read_text(encoding="utf-8"))
    assert all(attributes.get("alt") for tag, attributes in page.found if tag == "img")
    controls = [k for k, (tag, _) in enumerate(page.found) if tag in ("select", "input")]
    assert len(controls) == 5 and all("label" in [t for t, _ in page.found[k - 2 : k]] for k in controls)
    assert ("html", {"lang": "en"}) in page.found
    assert any(a.get("name") == "viewport" for tag, a in page.found if tag == "meta")


def test_maps_are_zero_where_the_image_is_the_truth(folder):
    results = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    reduced = next(r for r in results if r["protocol"] == "reduced" and r["method"] == "EXP")
    arrays = saved.load(folder, reduced["key"])
    assert arrays["picture"].shape == (32, 32, 3) and arrays["picture"].dtype == np.uint8
    assert arrays["map"].shape == (32, 32) and 0 < arrays["map"].mean() < 0.5
    full = next(r for r in results if r["protocol"] == "full" and r["method"] == "EXP")
    assert saved.load(folder, full["key"])["map"].max() <= 1


def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (tmp_path / "plan.toml").write_text(SMALL, encoding="utf-8")
    with pytest.raises(MissingExtra, match=r"panflow\[report\]"):
        panflow.benchmark(tmp_path / "plan.toml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_front_of_quality_against_time():
    def row(title, seconds, sam):
        return title, (Cell({"0": sam}), Cell({"0": seconds}))

    heads = (Head("SAM", "lower"), Head("seconds"))
    made = Table("t", heads, (row("slow", 3.0, 1.0), row("worse", 2.0, 5.0), row("fast", 1.0, 4.0)))
    (axis,) = plots.pareto(made).axes
    assert np.array_equal(axis.lines[0].get_xydata(), [[1.0, 4.0], [3.0, 1.0]])


def test_zoom_shows_the_richest_square():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[32:48, 16:32] = np.random.default_rng(0).integers(0, 255, (16, 16, 1))
    assert plots.richest(picture, 16) == (32, 16)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to look at the report with")
def test_report_works_in_a_browser(folder, tmp_path):
    """The page's own script fills the controls, and swiping clips the left image; at a phone's width nothing sticks
    out."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    probe = """<script>
    at("image").value = "two, scene 0, full"; at("image").dispatchEvent(new Event("change"));
    at("one").value = "GSA & co"; at("one").dispatchEvent(new Event("change"));
    at("where").value = 25; at("where").dispatchEvent(new Event("input"));
    const told = [at("one").value, at("nameone").textContent, at("left").style.clipPath, at("bar").style.left,
      at("left").src === pictures["two, scene 0, full"]["GSA & co"], document.querySelectorAll("#image option").length,
      document.documentElement.scrollWidth <= window.innerWidth];
    document.body.replaceChildren(JSON.stringify(told));
    </script></body>"""
    (tmp_path / "page.html").write_text(text.replace("</body>", probe), encoding="utf-8")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    options = [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=400,800", "--dump-dom"]
    command = [CHROMIUM, *quiet, *options, f"file://{tmp_path / 'page.html'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(re.search(r"<body>(.*)</body>", done.stdout, re.S).group(1).replace("&amp;", "&"))
    assert told == ["GSA & co", "GSA & co", "inset(0px 75% 0px 0px)", "25%", True, 4, True]
