"""Blocks of README and tutorials run as they stand, from top to bottom, as somebody would who copies them."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
import rasterio

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))
from pages import Block, blocks  # noqa: E402

README = ROOT / "README.md"
TUTORIALS = sorted(path for path in ROOT.glob("docs/tutorials/*.md") if path.stem != "README")
IMPORTS = {  # what pages need that is in an extra
    "train-on-your-archive": "torch",
    "adapt-to-a-scene": "torch",
    "papers-tables": "matplotlib",
    "xarray-and-stac": "rioxarray",
}

pytestmark = pytest.mark.skipif(which("bash") is None, reason="blocks of shell are run by bash, which is not installed")


def of(page: Path) -> list[Block]:
    return list(blocks(page.read_text(encoding="utf-8")))


MARKED = [(page, block) for page in (README, *TUTORIALS) for block in of(page) if block.needs]


@pytest.fixture
def run(tmp_path_factory, tmp_path, monkeypatch):
    """Runs a page's blocks in an empty folder, those of Python in one process; `panflow` is this Python's."""
    commands = tmp_path_factory.mktemp("bin")
    for name, words in {"panflow": "-m panflow ", "python": ""}.items():
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.chdir(tmp_path)

    def every(page: Path) -> None:
        values: dict = {}
        for block in of(page):
            if block.needs:
                continue
            if block.language == "python":
                exec(compile(block.code, page.name, "exec", dont_inherit=True), values)
                continue
            done = subprocess.run(["bash", "-ec", block.code], capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{page.name}\n{block.code}\n{done.stdout}\n{done.stderr}"

    return every


@pytest.mark.slow  # `make docs` runs them too
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs(page, run):
    if page.stem in IMPORTS:
        pytest.importorskip(IMPORTS[page.stem])
    run(page)


def test_the_readme_runs(run, tmp_path):
    """Its blocks take files of the reader's: a scene, its bands apart, a folder of Landsat's, an archive."""
    from panflow import sensors
    from panflow.data import synthetic

    four = sensors.load("ikonos")
    synthetic.write(synthetic.scene(256, four), tmp_path)
    synthetic.write(synthetic.scene(256, four, seed=1), tmp_path / "scenes" / "one")
    apart(tmp_path / "ms.tif", [tmp_path / f"{band.name}.tif" for band in four.bands])
    stem = "LC08_L1TP_204023_20200927"
    landsat = synthetic.write(synthetic.scene(256, sensors.load("landsat8")), tmp_path / stem, phase=(0.5, 0.5))
    landsat["truth"].unlink()
    landsat["pan"].rename(tmp_path / stem / f"{stem}_B8.TIF")
    apart(landsat["ms"], [tmp_path / stem / f"{stem}_B{number}.TIF" for number in range(1, 6)])
    landsat["ms"].unlink()
    run(README)
    assert {"sharp.tif", "colours.tif", "landsat.tif", "gsa.tif", "look.png"} <= {p.name for p in tmp_path.iterdir()}
    assert (tmp_path / "results" / "one.tif").exists()


def apart(ms: Path, paths: list[Path]) -> None:
    """The first bands of a file, each in one of its own."""
    with rasterio.open(ms) as dataset:
        for number, path in enumerate(paths, start=1):
            with rasterio.open(path, "w", **dataset.profile | {"count": 1}) as band:
                band.write(dataset.read(number), 1)


@pytest.mark.parametrize(("page", "block"), MARKED, ids=[f"{page.stem}: {block.needs}" for page, block in MARKED])
def test_a_block_that_needs_more_is_a_shells(page, block):
    """As far as can be said without running it."""
    subprocess.run(["bash", "-nc", block.code], check=True)
    pytest.skip(f"it needs {block.needs}")


def test_blocks_are_read_out_of_markdown():
    text = "<!-- needs: a cluster -->\n```sh\nsrun x\n```\n\n```python\nx = 1\n```\n\n```text\n```\n\n    ls\n    pwd\n"
    assert list(blocks(text)) == [
        Block("sh", "srun x\n", "a cluster"),
        Block("python", "x = 1\n"),
        Block("sh", "ls\npwd\n"),
    ]
