"""`panflow export` writes graphs that answer as torch does."""

import pytest
from click.testing import CliRunner

from panflow.cli.export import command
from panflow.errors import InputError, OutputExists
from panflow.learned.runtime import onnx

pytestmark = pytest.mark.skipif(bool(onnx.missing()), reason=str(onnx.missing()))


def export(*arguments) -> str:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False).output


def test_the_default_is_exported_for_any_size(tmp_path):
    out = tmp_path / "bandwise.onnx"
    told = export("bandwise", out, "--bands", 3, "--size", 32, "--any-size")
    assert "3 bands, any size" in told and "inputs x, t, ms_up, pan, level" in told
    import onnxruntime

    inputs = {i.name: i.shape for i in onnxruntime.InferenceSession(out).get_inputs()}
    assert inputs["pan"] == [1, 1, "H", "W"] and inputs["correlation"] == [1, 3, 1, 1]
    with pytest.raises(OutputExists):
        export("bandwise", out)


def test_what_has_no_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="classical method"):
        export("gsa", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_a_graph_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "session", lambda file: lambda tensors: tensors[0] + 1)
    with pytest.raises(InputError, match="nothing written"):
        export("bandwise", tmp_path / "a.onnx", "--size", 32)
    assert not list(tmp_path.iterdir())
