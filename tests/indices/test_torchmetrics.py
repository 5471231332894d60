"""Where definitions coincide torchmetrics gives the same; docs/evidence/indices.md tells where they do not."""

import numpy as np
import pytest
import torch

import panflow
from panflow.assessment import maps
from panflow.indices._sets import load

functional = pytest.importorskip("torchmetrics.functional")
image = functional.image


@pytest.fixture
def pair(arrays):
    """fused and reference as [1, C, H, W] tensors."""
    return torch.tensor(arrays["fused"])[None], torch.tensor(arrays["reference"])[None]


def ours(pair, name, **options):
    return panflow.assess(pair[0], reference=pair[1], indices={name: load(name, **options)})[name]


def test_sam(pair):
    assert ours(pair, "sam") == pytest.approx(np.degrees(float(image.spectral_angle_mapper(*pair))), rel=1e-9)


def test_ergas(pair):
    theirs = image.error_relative_global_dimensionless_synthesis(*pair, ratio=4)
    assert ours(pair, "ergas") == pytest.approx(float(theirs), rel=1e-9)


def test_rmse(pair):
    assert ours(pair, "rmse") == pytest.approx(float(functional.mean_squared_error(*pair, squared=False)), rel=1e-6)


def test_psnr_band_by_band(pair):
    theirs = image.peak_signal_noise_ratio(*pair, data_range=2047.0, dim=(2, 3), reduction="elementwise_mean")
    assert ours(pair, "psnr", peak=2047.0) == pytest.approx(float(theirs), rel=1e-6)


def test_correlation(pair):
    bands = [functional.pearson_corrcoef(*(x[0, band].flatten() for x in pair)) for band in range(3)]
    assert ours(pair, "cc") == pytest.approx(float(torch.stack(bands).mean()), rel=1e-6)


def test_ssim_away_from_the_border(pair):
    """Theirs mirrors the image and counts the border too."""
    _, theirs = image.structural_similarity_index_measure(*pair, data_range=2047.0, return_full_image=True)
    local = maps(pair[0], reference=pair[1], indices={"ssim": load("ssim", peak=2047.0)})["ssim"]
    inside = (..., slice(5, -5), slice(5, -5))
    assert local[inside].numpy() == pytest.approx(theirs.mean(dim=1)[inside].numpy(), abs=1e-6)


def test_universal_quality_in_flat_windows(pair):
    """Theirs has Gaussian windows of odd size: flat ones of 33 pixels are ours of that size."""
    theirs = image.universal_image_quality_index(*pair, kernel_size=(33, 33), sigma=(1e6, 1e6))
    assert ours(pair, "q_avg", window=33) == pytest.approx(float(theirs), abs=1e-6)
