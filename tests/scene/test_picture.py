"""Stretch, panels and sheets."""

import numpy as np
import pytest
from PIL import Image

from panflow.pictures.picture import GAP, TEXT, contact_sheet, limits, panel, sheet, stretch

RNG = np.random.default_rng(3)


def test_limits_are_the_percentiles_of_each_band():
    ramp = np.linspace(0, 100, 101).reshape(1, 1, 101)
    assert limits([np.concatenate([ramp, 10 * ramp])]) == pytest.approx(np.array([[2, 98], [20, 980]]))


def test_one_wild_image_does_not_darken_the_others():
    images = [RNG.uniform(100, 200, (3, 40, 40)) for _ in range(4)]
    wild = 1e6 * RNG.standard_normal((3, 40, 40))
    assert limits([*images, wild]) == pytest.approx(limits(images), abs=2)


def test_nodata_has_no_say_in_the_limits():
    image = RNG.uniform(100, 200, (1, 40, 40))
    holed = image.copy()
    holed[:, :10] = np.nan
    assert limits([holed]) == pytest.approx(limits([image[:, 10:]]))
    nothing = np.full((1, 4, 4), np.nan)
    assert limits([holed, nothing]) == pytest.approx(limits([holed]))
    assert np.array_equal(limits([nothing]), [[0, 1]])


def test_equal_counts_get_equal_gray_before_and_after():
    before = RNG.uniform(0, 1000, (3, 16, 16))
    after = before[:, ::-1] * 1.0
    after[:, 0] += 5000
    scale = limits([before, after])
    assert np.array_equal(stretch(before, scale)[:, 0], stretch(after, scale)[:, -1])


def test_stretch_reaches_from_black_to_white_and_saturates():
    image = np.array([[[-5.0, 0, 50, 100, 1000, np.nan, np.inf]]])
    assert stretch(image, np.array([[0, 100]])).tolist() == [[[0, 0, 128, 255, 255, 0, 255]]]
    assert stretch(image, np.array([[0, 100]]), gamma=2).tolist() == [[[0, 0, 180, 255, 255, 0, 255]]]


def test_a_constant_image_can_be_shown():
    flat = np.full((1, 4, 4), 7.0)
    assert np.array_equal(stretch(flat, limits([flat])), np.zeros((1, 4, 4)))


def test_panel_enlarges_by_a_whole_factor_and_shows_nodata_as_a_checkerboard():
    image = np.full((3, 20, 30), 50.0)
    image[:, :10] = np.nan
    image[0, 12] = np.nan  # one band of three: black in that band, not nodata
    shown = np.asarray(panel(image, np.tile([0.0, 100.0], (3, 1)), 100))
    assert shown.shape == (60, 90, 3)
    assert set(np.unique(shown[:30])) == {190, 225}
    assert (shown[45:] == 128).all()
    assert (shown[36:39] == [0, 128, 128]).all()


def test_panel_shows_one_band_in_gray():
    shown = np.asarray(panel(np.full((1, 8, 8), 50.0), np.array([[0.0, 100.0]]), 8))
    assert (shown == 128).all()
    assert shown.shape == (8, 8, 3)


def test_sheet_places_every_panel_under_its_name():
    red, blue = Image.new("RGB", (40, 30), (255, 0, 0)), Image.new("RGB", (50, 30), (0, 0, 255))
    pixels = np.asarray(sheet([[red, blue], [blue, red]], ["a", "b" * 99], ["first", "second"]))
    line = TEXT + GAP
    assert pixels.shape == (line + 2 * (line + 30 + GAP), 50 + 50 + 3 * GAP, 3)
    is_red, is_blue = (pixels == [255, 0, 0]).all(-1), (pixels == [0, 0, 255]).all(-1)
    assert (is_red.sum(), is_blue.sum()) == (2 * 40 * 30, 2 * 50 * 30)
    assert is_blue[2 * line : 2 * line + 30, 50 + 2 * GAP : 100 + 2 * GAP].all()
    labels = pixels[:line].min(-1) < 128
    assert labels[:, : 50 + GAP].any()
    assert labels[:, 50 + 2 * GAP :].any()
    assert not labels[:, -GAP // 2 :].any(), "a long name is cut within its column"


def test_contact_sheet_has_a_row_a_crop_and_a_column_a_method(tmp_path):
    crop = RNG.uniform(0, 1000, (3, 32, 32))
    dull = 500 + (crop - 500) / 2
    crops = {"pan": [crop[:1], crop[:1]], "good": [crop, 2 * crop], "same": [crop, 2 * crop], "dull": [dull, 2 * dull]}
    contact_sheet(crops, ["street", "field"], tmp_path / "sheet.png", size=64)
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
    line = TEXT + GAP
    assert pixels.shape == (line + 2 * (line + 64 + GAP), 4 * 64 + 5 * GAP, 3)
    cells = [[pixels[y : y + 64, x : x + 64] for x in range(GAP, 4 * (64 + GAP), 64 + GAP)] for y in (44, 138)]
    assert np.array_equal(cells[0][1], cells[0][2]), "equal images look equal"
    assert np.array_equal(cells[0][1], cells[1][1]), "each row has its own stretch"
    assert cells[0][3].std() < 0.7 * cells[0][1].std(), "a duller image looks duller"
    assert (cells[0][0][..., 0] == cells[0][0][..., 2]).all()


def test_contact_sheet_wants_the_same_crops_of_every_method(tmp_path):
    crop = np.zeros((3, 8, 8))
    with pytest.raises(ValueError, match="shorter"):
        contact_sheet({"a": [crop, crop], "b": [crop]}, ["1", "2"], tmp_path / "sheet.png")
