"""Public checkpoints: what is refused, what is translated, and the accuracy of what is published."""

import datetime
import os
import struct
import zipfile

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from recordings import TOOLBOX

import panflow
from panflow.cli.import_ import command
from panflow.errors import InputError, MissingInput, OutputExists
from panflow.learned.file import open_model, save
from panflow.learned.importing import import_checkpoint, read, renamed
from panflow.networks import fusionnet
from panflow.sensors import load

PUBLISHED = {  # SAM in degrees and ERGAS of the toolbox's WorldView-2 weights on the reduced WorldView-2 scene
    "pnn": (5.518, 3.335),
    "pannet": (5.056, 3.017),
    "fusionnet": (4.809, 2.859),
    "dicnn": (5.017, 2.994),
    "msdcnn": (5.087, 3.070),
    "drpnn": (5.010, 3.033),
}
SENSOR = load("worldview2")


def toolbox_weights() -> dict[str, torch.Tensor]:
    """A small FusionNet under the toolbox's names, each block there twice."""
    torch.manual_seed(0)
    ours = fusionnet.Network(8).state_dict()
    theirs = {"conv1": "head.0", "conv3": "tail"}
    theirs |= {f"backbone.{b}.conv2{i}": f"blocks.{b}.conv{i + 1}" for b in range(4) for i in range(2)}
    theirs |= {f"res{b + 1}.conv2{i}": f"blocks.{b}.conv{i + 1}" for b in range(4) for i in range(2)}
    return {
        f"{key}.{part}": ours[f"{ours_key}.{part}"] for key, ours_key in theirs.items() for part in ("weight", "bias")
    }


@pytest.mark.parametrize(
    "wrap", [lambda w: w, lambda w: {"epoch": 3, "net": w}, lambda w: {"state_dict": {"model": w}}]
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_wrapped_weights_are_found(tmp_path, wrap, prefix):
    weights = toolbox_weights()
    torch.save(wrap({prefix + key: value for key, value in weights.items()}), tmp_path / "w.pth")
    model = import_checkpoint(tmp_path / "w.pth", "fusionnet", 8, sensor=SENSOR)
    assert torch.equal(model.network.tail.weight, weights["conv3.weight"])
    assert torch.equal(model.network.blocks[2].conv1.bias, weights["backbone.2.conv20.bias"])
    assert model.recipe["transform"] == {"name": "scale", "bits": 11} and model.sensor == SENSOR


def test_code_is_refused_with_a_reason(tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"net": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"is refused: it holds .* to load these is to run code"):
        read(tmp_path / "w.pth")
    assert not (tmp_path / "made").exists()
    torch.save({"when": datetime.date(2020, 1, 1), "net": toolbox_weights()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"datetime\.date"):
        read(tmp_path / "w.pth")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(MissingInput):
        read(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("no such thing")
    with pytest.raises(InputError, match=r"refused|is no checkpoint"):
        read(tmp_path / "text.pth")
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="holds no weights"):
        read(tmp_path / "w.pth")
    torch.save([torch.ones(1)], tmp_path / "w.pth")
    with pytest.raises(InputError, match="holds a list"):
        read(tmp_path / "w.pth")
    loop = {}
    loop["net"] = loop
    torch.save(loop, tmp_path / "w.pth")
    with pytest.raises(InputError, match="holds no weights"):
        read(tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(InputError, match="torch compresses none"):
        read(tmp_path / "w.pth")
    locator, end = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 5), b"PK\x05\x06" + bytes(18)
    (tmp_path / "w.pth").write_bytes(bytes(80) + locator + end)  # the last of five disks
    with pytest.raises(InputError, match="is no checkpoint of torch"):
        read(tmp_path / "w.pth")


def test_weights_of_another_network_are_named(tmp_path):
    torch.save(toolbox_weights(), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"head.0.weight is \(32, 8, 3, 3\), expected \(32, 4, 3, 3\)"):
        import_checkpoint(tmp_path / "w.pth", "fusionnet", 4, bits=11)
    with pytest.raises(InputError, match=r"does not fit network dicnn with 8 bands: it lacks .* and has"):
        import_checkpoint(tmp_path / "w.pth", "dicnn", 8, bits=11)
    with pytest.raises(InputError, match="name the sensor, or give the bits"):
        import_checkpoint(tmp_path / "w.pth", "fusionnet", 8)


def test_rules_apply_in_turn():
    given = {"a.x": torch.ones(1), "drop.y": torch.ones(1)}
    assert list(renamed(given, ((r"^a\.", "b."), (r"^b\.", "c."), (r"^drop", None)))) == ["c.x"]


def test_the_command(tmp_path):
    torch.save(toolbox_weights(), tmp_path / "w.pth")
    out = tmp_path / "m.safetensors"
    arguments = [str(tmp_path / "w.pth"), "--network", "fusionnet", "--sensor", "worldview2", "--out", str(out)]
    told = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert told.exit_code == 0 and "fusionnet, 8 bands, 78,632 parameters" in told.output
    assert open_model(out).info["title"] == "fusionnet, imported from w.pth"
    with pytest.raises(OutputExists):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    with pytest.raises(InputError, match="does not fit"):
        CliRunner().invoke(command, [*arguments, "--overwrite", "--set", "blocks=5"], catch_exceptions=False)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_accuracy(shared, tmp_path, name):
    (path,) = (shared / f"golden/networks/{name.replace('dicnn', 'dicnn1')}_wv2").glob("*.pth")
    save(import_checkpoint(path, name, 8, sensor=SENSOR), tmp_path / "m.safetensors")
    with np.load(shared / "golden/networks/inputs/wv2_rr8.npz") as arrays:
        pan, ms, reference = (np.atleast_3d(arrays[key]).transpose(2, 0, 1) * 2047.0 for key in ("pan", "ms", "gt"))
    fused = panflow.sharpen(pan, ms, method=tmp_path / "m.safetensors", sensor="worldview2", **TOOLBOX)
    found = panflow.assess(fused, reference=reference, indices=("sam", "ergas"), sensor="worldview2")
    assert (found["sam"], found["ergas"]) == pytest.approx(PUBLISHED[name], abs=0.002)


FORMS = {"fusionnet": "panbench", "pannet": "panbench", "pnn": "panbench", "msdcnn": "panbench", "gppnn": "original"}


@pytest.mark.parametrize("name", FORMS)
def test_panbench_checkpoints(shared, name):
    path = shared / f"golden/networks/panbench_{name}/{name}_state_dict.pth"
    model = import_checkpoint(path, name, 4, bits=11, form=FORMS[name], phase=1.5)
    assert model.recipe["network"]["form"] == FORMS[name]
