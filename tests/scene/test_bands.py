"""Which bands are read and written: by number, name or role."""

import re

import numpy as np
import pytest
import rasterio
from rasters import drawn, grid, save

from panflow.errors import InputError, PanflowError
from panflow.files.output import Output
from panflow.files.sink import Profile
from panflow.scene import page
from panflow.scene.quicklook import quicklook_file
from panflow.scene.sharpen import sharpen_file

NAMES = ["blue", "green", "red", "nir"]
OPTIONS = {"method": "gs", "sensor": "geoeye1", "register": "off"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bands")
    pan, ms = (np.rint(image).astype("uint16") for image in drawn(256, "geoeye1", 4)[:2])
    save(folder / "pan.tif", pan, grid())
    save(folder / "stack.tif", np.concatenate([pan // 2, pan]), grid(), about={"descriptions": ["aerosol", "pan"]})
    save(folder / "ms.tif", ms, grid(2.0), about={"descriptions": ["Blue", "G", "Red", "N"]})
    return folder


def run(files, out, pan="pan.tif", ms=("ms.tif",), write=(), **options):
    profile = Profile(write=write)
    report = sharpen_file(f"{files}/{pan}", [f"{files}/{m}" for m in ms], out, profile=profile, **OPTIONS | options)
    with rasterio.open(out) as result:
        return result.read(), list(result.descriptions), [c.name for c in result.colorinterp], report


def test_all_bands_count_where_some_are_written(files, tmp_path):
    whole, *_ = run(files, tmp_path / "all.tif")
    some, names, colors, report = run(files, tmp_path / "some.tif", write="red,green,1")
    assert np.array_equal(some, whole[[2, 1, 0]])
    assert names == ["Red", "G", "Blue"] and colors == ["red", "green", "blue"]
    assert report.written == ["red", "green", "blue"] and report.bands == NAMES and len(report.weights) == 4
    quicklook_file(tmp_path / "some.tif", f"{files}/pan.tif", [f"{files}/ms.tif"], tmp_path / "look.png")
    assert (tmp_path / "look.png").stat().st_size > 1000


@pytest.mark.parametrize("write", ["purple", "5", "0", "red,r", ("red", "3")])
def test_bands_that_are_none_or_twice_are_refused(files, tmp_path, write):
    with pytest.raises(InputError, match="expected"):
        run(files, tmp_path / "out.tif", write=write)
    assert not (tmp_path / "out.tif").exists()


def test_picks_are_by_number_or_name(files, tmp_path):
    by_number, *_ = run(files, tmp_path / "a.tif", ms=["ms.tif,band=3", "ms.tif,band=4"], bands=["red", "nir"])
    by_name, names, *_ = run(files, tmp_path / "b.tif", ms=["ms.tif,band=red", "ms.tif,band=NIR"])
    assert np.array_equal(by_number, by_name) and names == ["Red", "N"]
    with pytest.raises(InputError, match=r"expected band=1..4 or a name \(Blue, G, Red, N\), came band=swir"):
        run(files, tmp_path / "c.tif", ms=["ms.tif,band=swir"])


@pytest.mark.parametrize("number", ["²", "１", "9" * 5000, "0", "-1", "5"])
def test_a_band_is_picked_by_plain_digits(files, tmp_path, number):
    with pytest.raises(InputError, match=r"expected band=1\.\.4"):
        run(files, tmp_path / "out.tif", ms=(f"ms.tif,band={number}",))


def test_pan_may_be_a_band_of_a_file(files, tmp_path):
    alone, *_ = run(files, tmp_path / "a.tif")
    for pick in ("2", "pan"):
        assert np.array_equal(run(files, tmp_path / f"{pick}.tif", pan=f"stack.tif,band={pick}")[0], alone)
    with pytest.raises(InputError, match="has 2 bands: expected one, or a pick"):
        run(files, tmp_path / "b.tif", pan="stack.tif")
    quicklook_file(tmp_path / "a.tif", f"{files}/stack.tif,band=2", [f"{files}/ms.tif"], tmp_path / "look.png")


def test_the_page_says_how_much_of_every_bands_detail_is_pans(files, tmp_path):
    _, _, _, report = run(files, tmp_path / "out.tif")
    page.write(report, f"{files}/pan.tif", [f"{files}/ms.tif"], Output(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text()
    rows = re.findall(r"<tr><th[^>]*>(?:blue|green|red|nir)<.*?</tr>", text)
    cells = [re.findall(r"<td[^>]*>([^<]*)", row) for row in rows]
    assert [row[1] for row in cells] == [f"{value:.3f}" for value in report.agreement["injectability"]]
    assert all(0 < value <= 1 for value in report.agreement["injectability"])


def test_what_is_as_fine_as_pan_is_left_alone(files, tmp_path):
    expected, *_ = run(files, tmp_path / "a.tif", ms=["ms.tif,band=1", "ms.tif,band=3"], bands=["blue", "red"])
    ms = ["ms.tif,band=1", "stack.tif,band=1", "ms.tif,band=3"]
    fused, _, _, report = run(files, tmp_path / "b.tif", ms=ms, bands=["blue", "green", "red"])
    assert np.array_equal(fused, expected) and report.bands == ["blue", "red"]
    assert any("band 1 of" in note and "as fine as PAN already" in note for note in report.warnings)
    with pytest.raises(PanflowError, match="not finer"):
        run(files, tmp_path / "c.tif", ms=["stack.tif"], bands=["blue", "red"])
