"""The report of a run as a page: whole in itself, and saying what the run's report says."""

import json
import re

from rasters import drawn, grid, save

from panflow.files.output import Output
from panflow.scene import page
from panflow.scene.sharpen import sharpen_file


def test_the_page_holds_all_and_needs_nothing(tmp_path):
    pan, ms, _ = drawn()
    files = save(tmp_path / "pan.tif", pan, grid()), save(tmp_path / "m&s.tif", ms[:, ::-1], grid(2.0))
    run = sharpen_file(*files, tmp_path / "out.tif", method="gsa", sensor="ikonos")
    with Output(tmp_path / "page.html") as out:
        page.write(run, str(files[0]), [str(files[1])], out)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert run.verdict == "bad" and '<p class="verdict bad">bad</p>' in text and "little in common" in text
    assert "m&amp;s.tif" in text and not re.search(r"(?:src|href)=[\"'](?!data:)|https?://|@import|url\(", text)
    pictures = json.loads(re.search(r"const pictures = (.*);", text)[1])
    assert next(list(images) for images in pictures.values()) == ["PAN", "MS, interpolated", "fused, gsa"]
    for band, weight in zip(run.bands, run.agreement["weights"]):
        assert re.search(rf'<th scope="row">{band}</th><td class="text">{weight:.3f}</td>', text)
    assert f"{run.agreement['detail']:.3f}" in text and "$" not in re.sub(r"data:[^\"]*", "", text)
