"""What is said of pairs that were broken on purpose, and of one that was not."""

from functools import cache

import numpy as np
import pytest
from rasters import drawn, grid, save

from panflow.errors import Untrusted
from panflow.ops.agreement import agreement
from panflow.pairs import make_pair
from panflow.scene.sharpen import sharpen_file


@cache
def images():
    return [image.astype(float) for image in drawn(512, "ikonos", 4)[:2]]


def enlarged(ms):
    return np.repeat(np.repeat(ms[:, ::2, ::2], 2, axis=1), 2, axis=2)


def smooth(ms):
    for _ in range(12):
        ms = (ms + np.roll(ms, 1, 1) + np.roll(ms, -1, 1) + np.roll(ms, 1, 2) + np.roll(ms, -1, 2)) / 5
    return ms


BROKEN = {
    "bad, little in common": lambda pan, ms: (pan, ms[:, ::-1]),
    "doubtful, copies of their neighbours": lambda pan, ms: (pan, enlarged(ms)),
    "doubtful, resampled or blurred": lambda pan, ms: (pan, smooth(ms)),
    "doubtful, not proportional to light": lambda pan, ms: (pan, 400 * np.log(ms + 1)),
    "doubtful, order of bands": lambda pan, ms: (pan, ms[::-1]),
    "bad, of MS are saturated": lambda pan, ms: (pan, np.minimum(ms, np.floor(np.quantile(ms, 0.7)))),
    "bad, of PAN are saturated": lambda pan, ms: (np.minimum(pan, np.floor(np.quantile(pan, 0.5))), ms),
}


def report(tmp_path, pan, ms, **options):
    files = save(tmp_path / "pan.tif", np.rint(pan).astype("uint16"), grid()), tmp_path / "ms.tif"
    save(files[1], np.rint(ms).astype("uint16"), grid(2.0))
    return sharpen_file(*files, tmp_path / "out.tif", method="gsa", sensor="ikonos", **options)


def test_a_pair_as_it_should_be_is_good(tmp_path):
    run = report(tmp_path, *images(), strict=True)
    assert (run.verdict, run.reasons, run.warnings) == ("good", [], [])


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_pair_is_not(tmp_path, case):
    word, reason = case.split(", ", 1)
    run = report(tmp_path, *BROKEN[case](*images()))
    assert run.verdict == word and any(reason in text for text in run.reasons), (run.verdict, run.reasons)
    assert set(run.reasons) <= set(run.warnings)


@pytest.mark.parametrize("register", ["auto", (3.0, -2.0)])
def test_an_offset_that_is_corrected_is_no_reason(tmp_path, register):
    displaced = [image.astype(float) for image in drawn(512, "ikonos", 4, (3.0, -2.0))[:2]]
    assert report(tmp_path, *displaced, register=register).verdict == "good"


def test_an_offset_that_is_left_is_one(tmp_path):
    displaced = [image.astype(float) for image in drawn(512, "ikonos", 4, (3.0, -2.0))[:2]]
    left = report(tmp_path, *displaced, register="off")
    assert left.verdict != "good" and any("is displaced, and left so" in text for text in left.reasons)


def test_strict_refuses_bad_and_writes_nothing(tmp_path):
    with pytest.raises(Untrusted, match="little in common"):
        report(tmp_path, *BROKEN["bad, little in common"](*images()), strict=True)
    assert not (tmp_path / "out.tif").exists()
    assert report(tmp_path, *BROKEN["doubtful, resampled or blurred"](*images()), strict=True).verdict == "doubtful"


def test_what_pan_sees_beyond_the_bands_is_named():
    from panflow import sensors
    from panflow.scene.verdict import _unseen

    assert _unseen(sensors.load("worldview2").select([1, 2, 3, 4])) == "690 to 800 nm"
    assert _unseen(sensors.load("worldview2")) == ""
    assert _unseen(sensors.load("generic").select([3])) == "450 to 760 nm"


def test_agreement_of_a_mix_is_whole():
    rng = np.random.default_rng(3)
    coarse = np.abs(np.cumsum(np.cumsum(rng.normal(size=(3, 96, 96)), axis=1), axis=2))
    ms = coarse + 5 * rng.normal(size=coarse.shape)
    pan = np.kron(np.tensordot((0.2, 0.5, 0.3), ms, 1), np.ones((4, 4)))[None]
    seen = agreement([make_pair(pan, ms)])
    assert seen.level > 0.9 and seen.detail > agreement([make_pair(pan[:, ::-1], ms)]).detail + 0.5
    assert seen.repeated == 0 and seen.pan_at_limit < 0.001
