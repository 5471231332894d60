"""Offsets as scikit-image sees them: phase correlation of a displaced scene, optical flow of one that is bent."""

import numpy as np
import pytest
from test_displacement_field import FIELDS, displaced, measured_by_place
from test_register import measured, nominal, scene

from panflow.ops import kernels
from panflow.ops.resample import lowpass, ms_up

registration = pytest.importorskip("skimage.registration")


def alike(pair):
    """PAN as MS would see it and the mix of the interpolated bands that explains it, on the PAN grid."""
    pan = lowpass(pair.pan, kernels.mtf(float(np.mean(pair.sensor.gains)), pair.ratio, 1e-3))[0, 0]
    bands = ms_up(pair)[0]
    design = np.concatenate([bands, np.ones_like(bands[:1])]).reshape(len(bands) + 1, -1).T
    mix = np.linalg.lstsq(design, pan.ravel(), rcond=None)[0]
    return pan, (design @ mix).reshape(pan.shape)


@pytest.mark.parametrize("shift", [(1.3, -0.7), (-2.2, 0.4)])
def test_phase_correlation_sees_the_same_offset(shift):
    pair = scene(size=320, seed=5, shift=shift)
    taper = np.outer(*(np.hanning(n) for n in pair.size))
    pan, mix = ((image - image.mean()) * taper for image in alike(nominal(pair)))
    theirs, *_ = registration.phase_cross_correlation(pan, mix, upsample_factor=20, normalization=None)
    assert np.abs(np.array(measured(pair).shift) - theirs).max() < 0.25


@pytest.mark.parametrize("name", ["bent", "like terrain"])
def test_optical_flow_sees_the_same_field(name):
    pair, _ = displaced(FIELDS[name])
    pan, mix = (image / image.std() for image in alike(pair))
    theirs = registration.optical_flow_ilk(pan, mix, radius=40)
    found = measured_by_place(pair)
    ours = found.field.at(*(np.arange(n, dtype=float) for n in pair.size)) + np.array(found.shift)[:, None, None]
    inner = (..., slice(40, -40, 8), slice(40, -40, 8))
    apart = np.hypot(*(ours + theirs)[inner])
    assert np.median(apart) < 0.3 < np.median(np.hypot(*ours[inner]))
