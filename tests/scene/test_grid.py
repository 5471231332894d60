"""Where MS lies on the PAN grid, from georeferencing alone."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from panflow.errors import GeometryError
from panflow.files.grid import Grid, place

UTM = CRS.from_epsg(32633)
PAN = Grid(Affine(0.5, 0, 385000, 0, -0.5, 5820000), UTM, (400, 500))
NONE = Affine.identity()


def over(pan, ratio, phase, size, crs=UTM):
    """The grid of an MS image with a ratio and phase on a PAN grid, by the definition of both."""
    corner = [p + 0.5 - r / 2 for p, r in zip(phase, ratio)]  # of MS pixel (0, 0), in PAN pixels from PAN's corner
    return Grid(pan.transform * Affine.translation(*corner[::-1]) * Affine.scale(*ratio[::-1]), crs, size)


def close(found, ratio, phase, within=1e-5):
    return np.abs(np.array([found.ratio, found.phase]) - [ratio, phase]).max() < within


def test_shared_corners():
    found = place(PAN, Grid(Affine(2, 0, 385000, 0, -2, 5820000), UTM, (100, 125)))
    assert found.ratio == (4, 4) and found.phase == (1.5, 1.5) and found.warp is None and not found.notes


def test_landsat_shares_centres():
    """PAN 15 m, MS 30 m; corners differ by 7.5 m, so that pixel centres coincide."""
    pan = Grid(Affine(15, 0, 600007.5, 0, -15, 1400002.5), UTM, (668, 935))
    ms = Grid(Affine(30, 0, 600000, 0, -30, 1400010), UTM, (334, 468))
    found = place(pan, ms)
    assert found.ratio == (2, 2) and found.phase == (0, 0)


def test_elkton_ratio_is_not_whole():
    pan = Grid(Affine(14.9935, 0, 700000, 0, -14.9935, 4250000), UTM, (337, 371))
    ms = Grid(Affine(29.9064, 0, 700000, 0, -29.9064, 4250000), UTM, (169, 186))
    ratio = 29.9064 / 14.9935
    assert close(place(pan, ms), (ratio, ratio), ((ratio - 1) / 2,) * 2, 1e-9)


NUMBER = st.floats(-40, 40, allow_nan=False)
ANGLE = st.floats(-3.1, 3.1)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(1.2, 8), st.floats(1.2, 8), NUMBER, NUMBER, st.integers(60, 90), st.integers(60, 90), ANGLE, st.booleans()
)
def test_any_offset_ratio_and_rotation_that_both_share(ry, rx, py, px, height, width, angle, south_up):
    turned = PAN.transform * Affine.rotation(np.degrees(angle))
    pan = Grid(turned * Affine.scale(1, -1) if south_up else turned, UTM, PAN.size)
    found = place(pan, over(pan, (ry, rx), (py, px), (height, width)))
    assert found.warp is None and not found.notes
    assert close(found, (ry, rx), (py, px))


def test_south_up_against_north_up_is_warped():
    ms = Grid(Affine(2, 0, 385000, 0, 2, 5819800), UTM, (100, 125))  # the same ground, last row first
    found = place(PAN, ms)
    assert found.warp is not None and "flipped" in found.notes[0]
    assert found.warp.size == (100, 125) and close(found, (4, 4), (1.5, 1.5))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_quarter_turns_are_warped_to_pans_axes(degrees):
    centre = Affine.translation(385125, 5819900) * Affine.rotation(degrees) * Affine.translation(-385125, -5819900)
    upright = Affine(2, 0, 385025, 0, -2, 5820000)  # 100 x 100 pixels around that centre
    found = place(PAN, Grid(centre * upright, UTM, (100, 100)))
    assert found.warp.size == (100, 100) and found.ratio == (4, 4)
    assert close(found, (4, 4), (1.5, 51.5))


@given(st.floats(0.5, 89))
@settings(max_examples=30, deadline=None)
def test_a_relative_rotation_is_warped_and_covered(degrees):
    ms = over(PAN, (4, 4), (1.5, 1.5), (100, 125))
    found = place(PAN, Grid(ms.transform * Affine.rotation(degrees), UTM, ms.size))
    assert found.warp is not None
    assert np.abs(np.array(found.ratio) - 4).max() < 1e-6
    corners = [
        ~found.warp.transform * (ms.transform * Affine.rotation(degrees)) * c
        for c in ((0, 0), (125, 0), (0, 100), (125, 100))
    ]
    assert all(-1e-6 <= x <= found.warp.size[1] + 1e-6 and -1e-6 <= y <= found.warp.size[0] + 1e-6 for x, y in corners)
    assert close(place(PAN, found.warp), found.ratio, found.phase)  # the warped grid lies where it is said to lie


def test_a_slight_relative_rotation_counts_on_a_large_image():
    """A twenty thousandth per pixel is half an MS pixel at the far end of ten thousand."""
    turn = Affine(1, 5e-5, 0, -5e-5, 1, 0)
    small, large = (over(PAN, (4, 4), (1.5, 1.5), size) for size in ((100, 125), (10000, 10000)))
    assert place(PAN, Grid(small.transform * turn, UTM, small.size)).warp is None
    assert place(PAN, Grid(large.transform * turn, UTM, large.size)).warp is not None


def test_another_crs_is_warped():
    from rasterio.warp import transform as points

    degrees = CRS.from_epsg(4326)
    west, north = (v[0] for v in points(UTM, degrees, [385000], [5820000]))
    east, south = (v[0] for v in points(UTM, degrees, [385250], [5819800]))
    ms = Grid(Affine((east - west) / 125, 0, west, 0, (south - north) / 100, north), degrees, (100, 125))
    found = place(PAN, ms, lambda xs, ys: points(degrees, UTM, np.ravel(xs), np.ravel(ys)))
    assert "another CRS" in found.notes[0]
    assert found.warp.crs == UTM and close(place(PAN, found.warp), found.ratio, found.phase)
    assert np.abs(np.array(found.ratio) - 4).max() < 0.2
    assert np.abs(np.array(found.phase) - 1.5).max() < 12  # the tilted outline reaches a little over PAN's corner


@pytest.mark.parametrize(
    "pan, ms",
    [
        pytest.param(Grid(NONE, None, (400, 500)), Grid(NONE, None, (100, 125)), id="neither has any"),
        pytest.param(PAN, Grid(NONE, None, (100, 125)), id="MS has none"),
        pytest.param(Grid(NONE, None, (400, 500)), Grid(Affine(2, 0, 9, 0, -2, 7), UTM, (100, 125)), id="PAN has none"),
        pytest.param(PAN, Grid(PAN.transform, UTM, (100, 125)), id="the same geotransform"),
        pytest.param(
            Grid(PAN.transform, None, (400, 500)), Grid(Affine(2, 0, 5, 0, -2, 5), None, (100, 125)), id="no CRS"
        ),
        pytest.param(
            Grid(Affine(5e-6, 0, 13, 0, -5e-6, 52), None, (400, 500)),
            Grid(Affine(2, 0, 385000, 0, -2, 5820000), UTM, (100, 125)),
            id="units that differ",
        ),
    ],
)
def test_without_georeferencing_corners_are_shared_and_it_is_said(pan, ms):
    found = place(pan, ms)
    assert found.ratio == (4, 4) and found.phase == (1.5, 1.5)
    assert len(found.notes) == 1 and "assumed to share their upper left corner" in found.notes[0]


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 6), st.integers(20, 300), st.integers(20, 300), st.data())
def test_odd_sizes_without_georeferencing_keep_the_whole_ratio(ratio, h, w, data):
    extra = [data.draw(st.integers(1 - ratio, ratio - 1)) for _ in "yx"]
    found = place(Grid(NONE, None, (h * ratio + extra[0], w * ratio + extra[1])), Grid(NONE, None, (h, w)))
    assert found.ratio == (ratio, ratio)


def test_pixel_sizes_give_the_ratio_where_extents_differ():
    found = place(
        Grid(Affine(0.5, 0, 0, 0, -0.5, 0), None, (400, 500)), Grid(Affine(2, 0, 0, 0, -2, 0), None, (120, 150))
    )
    assert found.ratio == (4, 4)


@pytest.mark.parametrize(
    "ms",
    [
        Grid(Affine(0.25, 0, 385000, 0, -0.25, 5820000), UTM, (800, 1000)),
        Grid(Affine(0.5, 0, 385000, 0, -0.5, 5820000), UTM, (400, 500)),
        Grid(NONE, None, (800, 1000)),
        Grid(NONE, None, (400, 500)),
    ],
    ids=["finer", "as fine", "more pixels", "as many pixels"],
)
def test_pan_that_is_not_finer_is_refused(ms):
    with pytest.raises(GeometryError, match="not finer than MS"):
        place(PAN, ms)


@pytest.mark.parametrize("phase", [(-500, 1.5), (1.5, -500), (500, 1.5), (1.5, 600)])
def test_no_overlap_is_refused(phase):
    with pytest.raises(GeometryError, match="do not overlap"):
        place(PAN, over(PAN, (4, 4), phase, (100, 100)))
    south_up = over(PAN, (4, 4), phase, (100, 100)).transform * Affine.scale(1, -1) * Affine.translation(0, -100)
    with pytest.raises(GeometryError, match="do not overlap"):
        place(PAN, Grid(south_up, UTM, (100, 100)))


def test_partial_overlap_is_allowed():
    assert place(PAN, over(PAN, (4, 4), (-380, 490), (100, 100))).phase == pytest.approx((-380, 490))


def test_ms_outside_pans_crs_is_refused():
    ms = Grid(Affine(1, 0, 0, 0, -1, 0), CRS.from_epsg(4326), (100, 100))
    with pytest.raises(GeometryError, match="cannot be brought to PAN's CRS"):
        place(PAN, ms, lambda xs, ys: (np.full(np.size(xs), np.inf), np.ravel(ys)))
