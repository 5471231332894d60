"""PAN and MS found in folders as they are delivered."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from layouts import dimap, maxar

from panflow.errors import InputError, MissingInput
from panflow.files.product import SIX, find

L1 = "LC08_L1TP_204023_20200927_20201006_02_T1"
L2 = "LC08_L2SP_204023_20200927_20201005_02_T1"


def touch(folder: Path, *names: str) -> Path:
    """Empty files: the search looks at names only."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def names(paths: list[str]) -> list[str]:
    return [Path(path).name for path in paths]


def test_landsat_8_takes_six_bands_from_blue_without_coastal(tmp_path):
    product = find(touch(tmp_path, *(f"{L1}_B{n}.TIF" for n in range(1, 12)), f"{L1}_QA_PIXEL.TIF"))
    assert Path(product.pan) == tmp_path / f"{L1}_B8.TIF"
    assert names(product.ms) == [f"{L1}_B{n}.TIF" for n in (2, 3, 4, 5, 6, 7)]
    assert product.bands == SIX
    assert product.tags == {"SPACECRAFT_ID": "LANDSAT_8"}


def test_landsat_7_numbers_its_bands_in_its_own_way(tmp_path):
    stem = "LE07_L1GT_195025_20010730_20170204_01_T1"
    touch(tmp_path, *(f"{stem}_B{n}.TIF" for n in (1, 2, 3, 4, 5, "6_VCID_1", "6_VCID_2", 7, 8)))
    product = find(tmp_path)
    assert names(product.ms) == [f"{stem}_B{n}.TIF" for n in (1, 2, 3, 4, 5, 7)]
    assert product.bands == SIX
    assert product.tags == {"SPACECRAFT_ID": "LANDSAT_7"}


def test_missing_bands_are_left_out_under_their_right_names(tmp_path):
    product = find(touch(tmp_path, *(f"{L1}_B{n}.TIF" for n in (8, 4, 2))))
    assert names(product.ms) == [f"{L1}_B2.TIF", f"{L1}_B4.TIF"]
    assert product.bands == ("blue", "red")


def test_level_2_is_taken_beside_a_level_1_pan(tmp_path):
    touch(tmp_path, f"{L1}_B8.TIF", *(f"{L2}_SR_B{n}.TIF" for n in range(1, 8)), f"{L2}_ST_B10.TIF")
    product = find(tmp_path)
    assert names(product.ms) == [f"{L2}_SR_B{n}.TIF" for n in range(2, 8)]


@pytest.fixture
def both_levels(tmp_path) -> Path:
    touch(tmp_path, *(f"{L1}_B{n}.TIF" for n in range(1, 9)), *(f"{L2}_SR_B{n}.TIF" for n in range(1, 8)))
    return touch(tmp_path, f"{L1}_MTL.txt", f"{L2}_MTL.xml")


def test_with_both_levels_the_one_of_pan_is_taken(both_levels):
    assert names(find(both_levels).ms)[0] == f"{L1}_B2.TIF"


@pytest.mark.parametrize("meta, first", [(f"{L1}_MTL.txt", f"{L1}_B2.TIF"), (f"{L2}_MTL.xml", f"{L2}_SR_B2.TIF")])
def test_a_metadata_file_tells_the_level(both_levels, meta, first):
    product = find(both_levels / meta)
    assert names(product.ms)[0] == first
    assert Path(product.pan).name == f"{L1}_B8.TIF"


def test_two_scenes_are_refused_by_name_unless_a_metadata_file_tells(tmp_path):
    other = L1.replace("20200927", "20200911")
    touch(tmp_path, *(f"{stem}_B{n}.TIF" for stem in (L1, other) for n in (2, 3, 8)), f"{other}_MTL.txt")
    with pytest.raises(InputError, match=f"2 PAN images: {other}_B8.TIF, {L1}_B8.TIF.*Give the files"):
        find(tmp_path)
    assert Path(find(tmp_path / f"{other}_MTL.txt").pan).name == f"{other}_B8.TIF"


def test_two_processings_of_ms_beside_another_pan_are_refused(tmp_path):
    again = L2.replace("20201005", "20210101")
    touch(tmp_path, f"{L1}_B8.TIF", *(f"{stem}_SR_B{n}.TIF" for stem in (L2, again) for n in (2, 3)))
    with pytest.raises(InputError, match="2 processings of MS"):
        find(tmp_path)


def test_band_files_of_other_names(tmp_path):
    product = find(touch(tmp_path, *(f"town_B{n}_clip.tif" for n in (2, 3, 8)), "other_B4_clip.tif", "town_B10.tif"))
    assert names([product.pan, *product.ms]) == ["town_B8_clip.tif", "town_B2_clip.tif", "town_B3_clip.tif"]
    assert product.bands == ("blue", "green")
    assert product.tags == {}, "neither file nor folder tells the sensor"


def test_band_files_named_by_their_band_alone(tmp_path):
    product = find(touch(tmp_path / "LE07 scene", "B1.tif", "B2.tif", "B8.tif"))
    assert product.bands == ("blue", "green")
    assert product.tags == {"SPACECRAFT_ID": "LANDSAT_7"}


@pytest.mark.parametrize(
    "pan, ms",
    [
        ("pan.tif", "ms.tif"),
        ("PAN.TIF", "MS.tiff"),
        ("town_pan.tif", "town_ms.tif"),
        ("GF2_PMS1_E4_N52_L1A0001-PAN1.tiff", "GF2_PMS1_E4_N52_L1A0001-MSS1.tiff"),
        ("GF1B_PMS_E4_N52_L1A0001-PAN.tiff", "GF1B_PMS_E4_N52_L1A0001-MUX.tiff"),
        ("A_P001_PAN/x-P2AS-A_P001.TIF", "A_P001_MUL/x-M2AS-A_P001.TIF"),
        ("in/A_P001_PAN/x.TIL", "in/A_P001_MUL/x.TIL"),
        (
            "IMG_SPOT6_P_001_A/DIM_SPOT6_P_201308032015087_SEN_1.XML",
            "IMG_SPOT6_MS_001_A/DIM_SPOT6_MS_201308032015087_SEN_1.XML",
        ),
        ("DIM_PNEO3_STD_202110071025231_PAN_ORT_1.XML", "DIM_PNEO3_STD_202110071025231_MS-FS_ORT_1.XML"),
    ],
)
def test_pairs_of_names(tmp_path, pan, ms):
    product = find(touch(tmp_path, pan, ms, "reference.tif", "preview.jpg", "IMG_1/DIM_SPOT6_PMS_20130803_1.XML"))
    assert Path(product.pan) == tmp_path / pan
    assert product.ms == (str(tmp_path / ms),)


def test_other_acquisitions_are_no_pair(tmp_path):
    touch(tmp_path, "DIM_PHR1A_P_201302181107148_ORT_1.XML", "DIM_PHR1A_MS_201302191107148_ORT_1.XML")
    with pytest.raises(InputError, match=r"PAN image DIM_PHR1A_P_201302181107148_ORT_1\.XML without MS"):
        find(tmp_path)


def test_tiles_without_their_index_are_refused_by_name(tmp_path):
    touch(tmp_path, *(f"A_{kind}/x_R1C{n}.TIF" for kind in ("PAN", "MUL") for n in (1, 2)))
    with pytest.raises(InputError, match=r"A_PAN/x_R1C1\.TIF, A_PAN/x_R1C2\.TIF"):
        find(tmp_path)


def test_one_ms_of_two_is_not_guessed(tmp_path):
    with pytest.raises(InputError, match=r"2 MS images: ms\.tif, mul\.tif"):
        find(touch(tmp_path, "pan.tif", "ms.tif", "mul.tif"))


def test_an_unknown_folder_is_told_what_is_expected_and_what_is_there(tmp_path):
    with pytest.raises(InputError, match=r"It holds holiday.jpg\. Expected Landsat .*pan.tif with ms.tif"):
        find(touch(tmp_path, "holiday.jpg"))
    with pytest.raises(InputError, match="no files"):
        find(touch(tmp_path / "empty", "a/b/c/d/pan.tif"))


def test_images_and_absent_paths_are_no_product(tmp_path):
    touch(tmp_path, "pan.tif", "ms.tif", "notes.xml")
    assert find(tmp_path / "pan.tif") is None
    assert find(tmp_path / "notes.xml") is None
    assert find(tmp_path / "absent") is None


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(MissingInput, match="Permission denied"):
        find(tmp_path)


def test_dimap_is_read_by_gdal(tmp_path):
    pan, ms = dimap(tmp_path, "P", 1, 16, 0.5), dimap(tmp_path, "MS", 4, 4, 2.0)
    volume = touch(tmp_path, "VOL_PHR.XML") / "VOL_PHR.XML"
    product = find(tmp_path)
    assert find(volume).pan == find(product.pan).pan == product.pan, "the volume's and PAN's metadata mean the scene"
    for path, values in ((product.pan, pan), (product.ms[0], ms)):
        with rasterio.open(path) as file:
            assert file.driver == "DIMAP"
            assert np.array_equal(file.read(), values)
            assert file.crs.to_epsg() == 32631


def test_maxar_tiles_are_read_by_gdal(tmp_path):
    pan, ms = maxar(tmp_path, "PAN", 1, 16, 0.5), maxar(tmp_path, "MUL", 4, 4, 2.0)
    product = find(tmp_path)
    assert find(Path(product.ms[0]).with_suffix(".IMD")).pan == product.pan
    for path, values in ((product.pan, pan), (product.ms[0], ms)):
        with rasterio.open(path) as file:
            assert file.driver == "TIL"
            assert np.array_equal(file.read(), values)
            assert file.crs.to_epsg() == 32631
            assert file.tags(ns="IMD")["IMAGE_1.satId"].strip('"') == "WV02"


def test_real_folders(shared):
    """Every open folder with a PAN: both images are found, open, and PAN is the finer."""
    folders = [
        folder
        for folder in sorted((shared / "data" / "open").iterdir())
        if not folder.name.startswith(("naip", "sentinel2"))
    ]
    found = {}
    for folder in folders:
        if "ms-only" in folder.name or folder.name == "landsat8-mat":
            with pytest.raises(InputError):
                find(folder)
            continue
        product = find(folder)
        with rasterio.open(product.pan) as pan, rasterio.open(product.ms[0]) as ms:
            assert pan.count == 1
            assert pan.width > ms.width
            found[folder.name] = len(product.ms) if len(product.ms) > 1 else ms.count
    assert found == {
        "landsat7-marburg": 6,
        "landsat8-elkton": 6,
        "landsat8-gulf-coast": 6,
        "landsat8-liverpool": 6,
        "landsat8-madrid": 3,
        "landsat8-marburg": 6,
        "landsat8-momotombo": 6,
        "landsat8-pamplona": 4,
        "worldview2-rotterdam-1": 4,
        "worldview2-rotterdam-2": 4,
        "worldview2-rotterdam-3": 4,
    }


@pytest.mark.parametrize(
    ("pan", "ms", "bands"),
    [
        ("CBERS_4A_WPM_20210730_209_139_L4_BAND{}.tif", (0, (3, 1, 4, 2)), ("blue", "green", "red", "nir")),
        ("T31UFT_20210730_{}.jp2", ("PAN", ("B08", "B03", "B02")), ("blue", "green", "nir")),
    ],
)
def test_bands_of_other_names(tmp_path, pan, ms, bands):
    fine, numbers = ms
    for number in (fine, *numbers):
        (tmp_path / pan.format(number)).touch()
    scene = find(tmp_path)
    assert scene.pan == str(tmp_path / pan.format(fine)) and scene.bands == bands
    assert list(scene.ms) == sorted(str(tmp_path / pan.format(number)) for number in numbers)
