"""The numbers recorded from the field's reference code: drawn pairs, which lie in `golden/drawn` (see its README), and
real ones in `PANFLOW_SHARED`, which only add cases where they are."""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np

import panflow
from panflow.pairs import make_pair
from panflow.zoo import load

SHARED = Path(os.environ.get("PANFLOW_SHARED", Path(__file__).parents[2] / "shared"))
CLASSICAL = SHARED / "golden/classical"
IMAGERY = CLASSICAL.is_dir()
DRAWN = {name: Path(__file__).parent / "golden/drawn" / name for name in ("pair4", "pair8")}
REAL = {
    name: CLASSICAL / name
    for name in ("wv2_rr320", "wv2_rr256", "wv2_fr512", "wv2_fr128", "ik_rr320", "ik_rr256", "ik_fr512", "ik_fr128")
    if IMAGERY
}
SENSORS = {"WV2": "worldview2", "WV3": "worldview3", "IKONOS": "ikonos"}  # as the toolbox names them
TOOLBOX = {"phase": "toolbox", "arithmetic": "toolbox"}  # how a caller asks for the toolbox's geometry and arithmetic
METHODS = {  # method -> name in the recordings
    "exp": "EXP",
    "brovey": "Brovey",
    "gsa": "GSA",
    "bt_h": "BT_H",
    "mtf_glp_fs": "MTF_GLP_FS",
    "gs": "GS",
    "ihs": "IHS",
    "pca": "PCA",
    "sfim": "SFIM",
    "hpf": "HPF",
    "atwt": "ATWT",
    "awlp": "AWLP",
    "mtf_glp": "MTF_GLP",
    "mtf_glp_cbd": "MTF_GLP_CBD",
    "mtf_glp_hpm": "MTF_GLP_HPM",
    "mtf_glp_hpm_r": "MTF_GLP_HPM_R",
    "mtf_glp_hpm_h": "MTF_GLP_HPM_H",
    "bdsd": "BDSD",
    "bdsd_pc": "BDSD_PC",
    "mf": "MF",
    "pracs": "PRACS",
    "c_gsa": "C_GSA",
    "tv": "TV",
}


def channels_first(image: np.ndarray) -> np.ndarray:
    """[H, W, C] to [C, H, W]; other arrays as they are."""
    return np.moveaxis(image, -1, 0) if image.ndim == 3 else image


class Recording:
    """One case: what the toolbox was given, the outputs and the indices that it gave."""

    def __init__(self, folder: Path):
        recorded = json.loads((folder / "metrics.json").read_text())
        self.info, self.metrics, self.statistics = (recorded[key] for key in ("case", "metrics", "output_stats"))
        self.sensor = SENSORS[self.info["sensor"]]
        self.outputs = np.load(folder / "outputs.npz")
        self.images = np.load(folder / "inputs.npz")
        self.reduced = "_LR" if self.info["kind"] == "rr" else ""

    def image(self, name: str) -> np.ndarray:
        return channels_first(self.images[name]).astype(float)

    @property
    def pan(self) -> np.ndarray:
        """PAN as the methods were given it, [H, W]."""
        return self.image(f"PAN{self.reduced}")

    @property
    def ms(self) -> np.ndarray:
        """MS as the methods were given it, [C, h, w]."""
        return self.image(f"MS{self.reduced}")

    @property
    def reference(self) -> np.ndarray | None:
        """The truth [C, H, W]; None where the recording is at full resolution."""
        names = {"rr": "MS", "drawn": "GT"}
        return self.image(names[self.info["kind"]]) if self.info["kind"] in names else None

    def sharpened(self, method: str) -> np.ndarray:
        """Our result [C, H, W]; C-GSA is given the segmentation that the toolbox had, whose start is random."""
        options = {"labels": self.outputs["C_GSA_labels"][None, None].astype(int) - 1} if method == "c_gsa" else {}
        return panflow.sharpen(self.pan, self.ms, method=load(method, **options), sensor=self.sensor, **TOOLBOX)


@cache
def recording(name: str) -> Recording:
    return Recording((DRAWN | REAL)[name])


class Blocks:
    """The toolbox's building blocks on one pair: `off(name, array)` is the largest difference from a recorded array.

    Of drawn pairs, arrays on the PAN grid are recorded in two windows, which a name without window stands for.
    """

    def __init__(self, arrays: dict[str, np.ndarray], pan: np.ndarray, ms: np.ndarray, sensor: str, windows: dict):
        self.arrays = {name: channels_first(array) for name, array in arrays.items()}
        self.pair = make_pair(pan, ms, sensor, **TOOLBOX)
        self.windows = windows

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def off(self, name: str, array) -> float:
        if name in self.arrays:
            return np.abs(np.reshape(array, self[name].shape) - self[name]).max()
        windows = {f"{name}__{window}": box for window, box in self.windows.items()}
        return max(
            np.abs(array[..., top:bottom, left:right] - self[window]).max()
            for window, (top, bottom, left, right) in windows.items()
            if window in self.arrays
        )


BLOCKS = [*DRAWN, *(["blocks_wv2", "blocks_ik"] if IMAGERY else [])]


@cache
def blocks(name: str) -> Blocks:
    if name in DRAWN:
        case, arrays = recording(name), dict(np.load(DRAWN[name] / "blocks.npz"))
        return Blocks(arrays, case.pan, case.ms, case.sensor, case.info["block_windows"])
    arrays = dict(np.load(CLASSICAL / f"blocks/{name}.npz"))
    pan, ms = (channels_first(arrays.pop(key)).astype(float) for key in ("PAN", "MS"))
    return Blocks(arrays, pan, ms, {"wv2": "worldview2", "ik": "ikonos"}[name.removeprefix("blocks_")], {})
