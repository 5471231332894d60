"""Recorded runs of three public collections of networks: DLPan toolbox, PanBench, UniPAN."""

from pathlib import Path
from types import ModuleType

import golden
import numpy as np
import torch
import torch.nn.functional as F

SENSORS = {"wv2": 8, "wv3": 8, "qb": 4}  # sensor of the toolbox's weights -> bands of the scene


@torch.no_grad()
def run(network: torch.nn.Module, ms, ms_up, pan) -> torch.Tensor:
    """The fused image: with `ms_up` where the network predicts the residual."""
    predicted = network(ms, ms_up, pan)
    return predicted + ms_up if network.predicts == "residual" else predicted


def dlpan(shared: Path, module: ModuleType, sensor: str) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """The network with the toolbox's weights for a sensor, and its recorded outputs by input set."""
    folder = shared / f"golden/networks/{_name(module).replace('dicnn', 'dicnn1')}_{sensor}"
    (path,) = folder.glob("*.pth")  # one is spelled panet.pth
    with np.load(folder / "outputs.npz") as arrays:
        outputs = {key: golden.image(arrays[key]) for key in arrays.files}
    return golden.load(module.Network(SENSORS[sensor]), weights(path), module.Network.KEYS), outputs


def check_dlpan(shared: Path, module: ModuleType, sensor: str) -> None:
    network, outputs = dlpan(shared, module, sensor)
    scene = golden.inputs(shared, f"wv2_small{SENSORS[sensor]}")
    assert_close(run(network, scene["ms"], scene["ms_up"], scene["pan"]), outputs["small"])


def check_panbench(shared: Path, module: ModuleType, form: str) -> None:
    """PanBench brings MS to PAN size by bicubic interpolation with aligned corners."""
    name = _name(module)
    folder = shared / f"golden/networks/panbench_{name}"
    network = golden.load(module.Network(4, form=form), weights(folder / f"{name}_state_dict.pth"), module.Network.KEYS)
    with np.load(folder / "outputs.npz") as arrays:
        ms, pan, expected = (torch.from_numpy(arrays[key]) for key in ("in/ms", "in/pan", "out"))
    ms_up = F.interpolate(ms, size=pan.shape[-2:], mode="bicubic", align_corners=True)
    assert_close(run(network, ms, ms_up, pan), expected)


@torch.no_grad()
def check_unipan(shared: Path, module: ModuleType, bands: int, keys=(), *, aligned: bool = False) -> None:
    """A randomised network as UniPAN builds it, without its wrapper's final sum.

    UniPAN brings MS to PAN size by bilinear interpolation, for some networks with aligned corners.
    """
    state, arrays = golden.recorded(shared, f"random_init/unipan_{_name(module)}_{bands}b.npz")
    network = golden.load(module.Network(bands, form="unipan"), state, keys)
    assert network.predicts == "residual"
    ms, pan = arrays["in/ms"], arrays["in/pan"]
    ms_up = F.interpolate(ms, size=pan.shape[-2:], mode="bilinear", align_corners=aligned)
    assert_close(network(ms, ms_up, pan), arrays["out"])


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)


def assert_close(got: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance)
