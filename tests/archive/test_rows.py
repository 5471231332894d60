"""Which scenes a batch takes, out of manifests, folders and globs."""

import json
from pathlib import Path

import pytest

from panflow.archive.rows import rows
from panflow.errors import InputError, MissingInput
from panflow.files.product import find_all


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_csv_names_scenes_relative_to_itself(tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("id,pan,ms,method,out\na,p.tif,m.tif,gsa,\nb,/x/p.tif,r.tif;s3://b/g.tif,,sub/b2.tif\n\n")
    found, alone = rows(str(manifest), tmp_path / "out")
    assert alone == []
    assert [r.id for r in found] == ["a", "b"]
    assert found[0].pan == str(tmp_path / "p.tif")
    assert found[0].options == {"method": "gsa"}
    assert found[0].out == tmp_path / "out/a.tif"
    assert found[1].pan == "/x/p.tif"
    assert found[1].ms == (str(tmp_path / "r.tif"), "s3://b/g.tif")
    assert found[1].out == tmp_path / "out/sub/b2.tif"
    assert found[1].options == {}


def test_json_lines_keep_types(tmp_path):
    manifest = tmp_path / "list.jsonl"
    lines = [{"pan": "p1.tif", "ms": ["a.tif", "b.tif"], "nodata": 0}, {"pan": "p2.tif", "ms": "m.tif", "level": None}]
    manifest.write_text("\n".join(json.dumps(line) for line in lines))
    found, _ = rows(str(manifest), tmp_path)
    assert found[0].id == "p1"
    assert found[0].ms == (str(tmp_path / "a.tif"), str(tmp_path / "b.tif"))
    assert found[0].options == {"nodata": 0}
    assert found[1].options == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "name,file\n1,2\n", "first line that names the columns"),
        ("a.csv", "pan,ms\np,m,extra\n", "line 2: expected 2 columns"),
        ("a.csv", "id,pan,ms\na,p,m\na,q,n\n", "the id a stands for 2 scenes"),
        ("a.csv", "id,pan,ms,out\na,p,m,x.tif\nb,q,n,x.tif\n", "x.tif stands for 2 scenes"),
        ("a.csv", "pan,ms\n", "names no scene"),
        ("a.jsonl", "{", "line 1: expected one JSON object"),
        ("a.jsonl", "[1]", "line 1: expected a JSON object, came list"),
        ("a.txt", "", "is no manifest"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        rows(str(tmp_path / name), tmp_path)


def test_a_source_that_is_not_there_is_said(tmp_path):
    with pytest.raises(MissingInput, match="does not exist"):
        rows(str(tmp_path / "nothing"), tmp_path)


def test_a_row_that_cannot_run_does_not_stop_the_others(tmp_path):
    (tmp_path / "a.csv").write_text("id,pan,ms\na,p.tif,m.tif\nb,p.tif,\n")
    found, _ = rows(str(tmp_path / "a.csv"), tmp_path)
    assert found[0].error == ""
    assert "line 3: expected pan and ms" in found[1].error


def test_a_folder_is_searched_deepest_first(tmp_path):
    touch(tmp_path, "one/pan.tif", "one/ms.tif", "two/x_pan.tif", "two/x_ms.tif", "two/y_pan.tif", "two/y_ms.tif")
    touch(tmp_path, "three/pan.tif", "three/notes.txt", "four/deep/ms.tif", "img-PAN1.tiff", "img-MSS1.tiff")
    found, alone = rows(str(tmp_path), tmp_path / "out")
    assert {r.id: Path(r.ms[0]).relative_to(tmp_path).as_posix() for r in found} == {
        "img-PAN1": "img-MSS1.tiff",
        "one": "one/ms.tif",
        "two_x_pan": "two/x_ms.tif",
        "two_y_pan": "two/y_ms.tif",
    }
    assert alone == [str(tmp_path / "four/deep/ms.tif"), str(tmp_path / "three/pan.tif")]


def test_landsat_folders_give_bands_and_metadata(tmp_path):
    stem = "LC08_L1TP_204023_20200927_20201006_02_T1"
    touch(tmp_path, *(f"{stem}/{stem}_B{n}.TIF" for n in range(1, 9)))
    (product,), alone = find_all(tmp_path)
    assert alone == []
    assert product.bands == ("blue", "green", "red", "nir", "swir1", "swir2")
    assert product.tags == {"SPACECRAFT_ID": "LANDSAT_8"}


def test_a_file_serves_one_scene_only(tmp_path):
    touch(tmp_path, "pan.tif", "ms.tif", "mss.tif")
    products, alone = find_all(tmp_path)
    assert products == []
    assert [Path(path).name for path in alone] == ["ms.tif", "mss.tif", "pan.tif"]


def test_a_glob_names_scene_folders(tmp_path):
    touch(tmp_path, "s1/pan.tif", "s1/ms.tif", "s2/pan.tif", "s2/ms.tif", "other/notes.txt")
    found, alone = rows(str(tmp_path / "*"), tmp_path / "out")
    assert [r.id for r in found] == ["s1", "s2"]
    assert alone == [str(tmp_path / "other")]


def test_a_digest_changes_with_what_the_result_depends_on(tmp_path):
    (tmp_path / "a.csv").write_text("id,pan,ms\na,p.tif,m.tif\n")
    (row,), _ = rows(str(tmp_path / "a.csv"), tmp_path)
    assert row.digest({"method": "gsa"}) == row.digest({"method": "gsa"})
    assert row.digest({"method": "gsa"}) != row.digest({"method": "brovey"})
