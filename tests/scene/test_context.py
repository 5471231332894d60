"""A network that looks at the whole image: whole by default, in tiles where asked, and the user is told."""

import pytest

import panflow
from panflow.data import synthetic
from panflow.learned.file import build, save
from panflow.sensors import load


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    synthetic.write(synthetic.scene(128, load("ikonos")), folder)
    parts = {
        "network": {"name": "lagconv", "bands": 4},
        "transform": {"name": "scale"},
        "objective": {"name": "regression"},
    }
    save(build(parts), folder / "global.safetensors")
    return folder


@pytest.mark.parametrize(("context", "told"), [(None, "memory grows"), (16, "depends on them")])
def test_global_networks_tell_what_tiles_do(scene, tmp_path, context, told):
    files = scene / "pan.tif", scene / "ms.tif", tmp_path / "out.tif"
    report = panflow.sharpen_file(*files, method=scene / "global.safetensors", sensor="ikonos", context=context)
    assert any(told in warning for warning in report.warnings)
