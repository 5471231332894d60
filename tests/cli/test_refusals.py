"""What could destroy a file, or give a wrong result without a word, is refused or said."""

import json
import os

import numpy as np
import pytest
import rasterio

from panflow import cli, sensors
from panflow.data import synthetic


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Folders of two places that the same sensor saw."""
    folder = tmp_path_factory.mktemp("scenes")
    for name, seed in (("here", 0), ("there", 99)):
        pair = synthetic.scene(128, sensors.load("ikonos"), seed=seed)
        synthetic.write(pair, folder / name)
    return folder


@pytest.fixture
def ends(scenes, tmp_path, monkeypatch, capsys):
    """Runs a command in a folder with copies of the scenes: (exit code, stdout, stderr)."""
    for path in scenes.rglob("*.tif"):
        copy = tmp_path / path.relative_to(scenes)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)

    def run(text: str) -> tuple[int, str, str]:
        code = cli.run(text.split())
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def contents() -> dict[str, bytes]:
    return {
        os.path.join(folder, name): open(os.path.join(folder, name), "rb").read()
        for folder, _, names in os.walk(".")
        for name in names
    }


def rewritten(path: str, change, **profile) -> None:
    with rasterio.open(path) as dataset:
        image, profile = dataset.read(), {**dataset.profile, **profile}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(change(image.astype(profile["dtype"])))


PAIR = "here/pan.tif here/ms.tif"


@pytest.mark.parametrize(
    "text, code",
    [
        (f"sharpen {PAIR} o.tif -m brovey --quicklook here/pan.tif --overwrite", 3),
        (f"sharpen {PAIR} o.tif -m brovey --quicklook o.tif", 3),
        (f"sharpen {PAIR} o.tif -m brovey --quicklook here/truth.tif", 4),
        (f"sharpen {PAIR} o.tif -m brovey --quicklook no/q.png", 4),
        (f"sharpen {PAIR} here/ms.tif -m brovey --overwrite", 3),
        (f"sharpen {PAIR} here/pan.tif.ovr -m brovey", 3),
        (f"sharpen {PAIR} here/ms.tif.aux.xml -m brovey", 3),
        (f"sharpen {PAIR} o.jp2 -m brovey", 3),
        (f"sharpen {PAIR} o.zarr -m brovey", 3),
        (f"sharpen {PAIR} new/ -m brovey", 4),
        (f"sharpen {PAIR} {'x' * 300}.tif -m brovey", 4),
        (f"sharpen {PAIR} o.tif -m brovey --register 1e9,1e9", 3),
        (f"sharpen {PAIR} o.tif -m brovey --max-memory nan", 3),
        (f"sharpen {PAIR} o.tif -m brovey --max-memory inf", 3),
        (f"sharpen {PAIR} o.tif -m brovey --device nonsense", 3),
        (f"sharpen {PAIR} o.tif -m brovey --runtime ../os", 2),
        (f"sharpen {PAIR} here -m brovey --overwrite", 4),
        ("sharpen there/pan.tif here/ms.tif o.tif -m gsa --strict", 6),
        ("assess here/truth.tif --reference here/truth.tif --csv here/truth.tif --overwrite", 3),
        (f"assess here/truth.tif --reference {PAIR.split()[0]} --csv here/ms.tif", 4),
        (f"compare {PAIR} --methods brovey --csv here/pan.tif --overwrite", 3),
        (f"compare {PAIR} --methods brovey --out here/pan.tif", 4),
        (f"degrade {PAIR} here/pan.tif", 4),
        (f"degrade {PAIR} here", 3),
        ("export bandwise no/m.onnx", 4),
        ("export bandwise here/pan.tif", 4),
        ("synthesize here", 4),
        ("synthesize new --noise -1", 2),
        ("synthesize new --seed -1", 2),
        ("synthesize new --size 100000000", 2),
        ("synthesize new --shift nan,nan", 3),
        ("synthesize new --shift 1e9,0", 3),
    ],
)
def test_nothing_is_destroyed(ends, text, code):
    before = contents()
    status, _, err = ends(text)
    assert status == code, err
    assert "unexpected" not in err and "Traceback" not in err and err.strip()
    assert contents() == before


def test_a_pair_of_two_places_is_said(ends):
    status, out, _ = ends("sharpen there/pan.tif here/ms.tif o.tif -m gsa --json")
    assert status == 0 and any("little in common" in text for text in json.loads(out)["warnings"])
    status, out, _ = ends(f"sharpen {PAIR} p.tif -m gsa --json")
    assert status == 0 and json.loads(out)["warnings"] == []


def test_a_type_that_is_too_small_is_said(ends):
    status, out, _ = ends(f"sharpen {PAIR} o.tif -m brovey --dtype uint8 --json")
    assert status == 0 and any("are clipped" in text for text in json.loads(out)["warnings"])


@pytest.mark.parametrize("method", ["brovey", "gsa", "bandwise"])
def test_fill_that_nobody_declares_is_nodata(ends, method):
    def filled(image):
        image[..., : image.shape[-1] // 8] = -3.4028235e38
        return image

    for name in ("pan", "ms"):
        rewritten(f"here/{name}.tif", filled, dtype="float32", nodata=None)
    status, out, err = ends(f"sharpen {PAIR} o.tif -m {method} --json")
    assert status == 0, err
    report = json.loads(out)
    assert report["nodata_pixels"] == 128 * 16 and any("count as nodata" in text for text in report["warnings"])
    with rasterio.open("o.tif") as dataset:
        image = dataset.read(masked=True)
    assert np.isfinite(image.compressed()).all() and np.abs(image.compressed()).max() < 1e5


def test_bands_on_unlike_grids_are_said(ends):
    for band in (1, 2):
        with rasterio.open("here/ms.tif") as dataset:
            image, profile = dataset.read(band), dataset.profile | {"count": 1}
        if band == 2:
            image, profile["width"] = image[:, :-2], image.shape[1] - 2
        with rasterio.open(f"b{band}.tif", "w", **profile) as dataset:
            dataset.write(image, 1)
    status, out, err = ends("sharpen here/pan.tif b1.tif b2.tif o.tif -m brovey --json")
    assert status == 0, err
    assert any("b2.tif lies on another grid" in text for text in json.loads(out)["warnings"])


def test_pixels_of_no_size_are_refused(ends):
    rewritten("here/ms.tif", lambda image: image, transform=rasterio.Affine(0, 0, 1, 0, 0, 1))
    status, _, err = ends(f"sharpen {PAIR} o.tif -m brovey")
    assert status == 3 and "unexpected" not in err


@pytest.mark.parametrize("method", ["bandwise", "gsa", "brovey"])
def test_a_constant_image_stays_as_it_is(ends, method):
    for name in ("pan", "ms"):
        rewritten(f"here/{name}.tif", lambda image: np.full_like(image, 500))
    status, _, err = ends(f"sharpen {PAIR} o.tif -m {method} -q")
    assert status == 0, err
    with rasterio.open("o.tif") as dataset:
        assert (dataset.read() == 500).all()


@pytest.mark.parametrize("method", ["gsa", "c_gsa"])
def test_gains_are_bounded_where_pan_is_noise(ends, method):
    rng = np.random.default_rng(1)
    rewritten("here/pan.tif", lambda image: rng.integers(100, 1000, image.shape).astype(image.dtype))
    status, out, err = ends(f"sharpen {PAIR} o.tif -m {method} --dtype int32 --json")
    assert status == 0, err
    assert any("little in common" in text for text in json.loads(out)["warnings"])
    with rasterio.open("o.tif") as result, rasterio.open("here/ms.tif") as dataset:
        image, ms = result.read(), dataset.read().astype(int)
    assert image.max() < 3 * ms.max() and image.min() > -2 * ms.max()
