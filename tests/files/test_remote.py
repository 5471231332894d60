"""Scenes and results that are elsewhere: on S3 (moto's server), with faults on the way, on Google's, on the web."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
import rasterio
from rasterio.io import MemoryFile
from servers import faulty, web

import panflow
from panflow.data import synthetic
from panflow.errors import InputError, MissingInput, OutputError, OutputExists, Unreachable
from panflow.files.output import Output
from panflow.files.product import find, find_all
from panflow.files.remote import Remote, gdal_name, is_remote, joined, path_of
from panflow.sensors import load

OPTIONS = {"method": "brovey", "register": "off", "jobs": 2}


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    synthetic.write(synthetic.scene(256, load("ikonos"), seed=1), folder, phase=(1.5, 1.5))
    panflow.sharpen_file(folder / "pan.tif", folder / "ms.tif", folder / "sharp.tif", **OPTIONS)
    return folder


@pytest.fixture
def s3(bucket, scene):
    """A bucket with the scene in it."""
    for name in ("pan.tif", "ms.tif"):
        bucket.put(f"in/{name}", (scene / name).read_bytes())
    return bucket


def inputs(s3) -> tuple[str, str]:
    return s3.url("in/pan.tif"), s3.url("in/ms.tif")


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    """The system's folder for temporary files, which must be empty at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://b/a/x.tif", "/vsis3/b/a/x.tif"),
        ("S3://b/x", "/vsis3/b/x"),
        ("gs://b/x.tif", "/vsigs/b/x.tif"),
        ("az://c/x.tif", "/vsiaz/c/x.tif"),
        ("https://h.org/a/x.tif", "/vsicurl/https://h.org/a/x.tif"),
        ("http://h:80/x?k=1&s=a/b", "/vsicurl/http://h:80/x?k=1&s=a/b"),
        ("/vsis3/b/x", "/vsis3/b/x"),
        ("folder/x.tif", "folder/x.tif"),
        ("zip+s3://b/x.zip!a.tif", "zip+s3://b/x.zip!a.tif"),
    ],
)
def test_what_gdal_calls_it(url, name):
    assert gdal_name(url) == name
    assert is_remote(url) == (url != "folder/x.tif")


@pytest.mark.parametrize("url", ["s3://b/a/x.tif", "gs://b/a/x.tif", "az://b/a/x.tif", "https://h/a/x.tif"])
def test_arithmetic_of_paths_is_pathlibs(url):
    path = path_of(url)
    assert isinstance(path, Remote)
    assert (str(path), path.gdal, path.name, path.stem) == (url, gdal_name(url), "x.tif", "x")
    folder = url.removesuffix("/x.tif")
    assert (str(path.parent), str(path.with_suffix(".png"))) == (folder, folder + "/x.png")
    assert str(path.parent / "sub" / "y") == folder + "/sub/y"
    assert path.relative_to(path.parent) == PurePosixPath("x.tif")
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(joined(path.parent, "y.tif")) == folder + "/y.tif"
    assert str(joined(path.parent, "s3://z/y.tif")) == "s3://z/y.tif"
    assert joined(Path("a"), "b.tif") == Path("a/b.tif")


def test_s3_in_and_out_is_the_local_result(s3, scene):
    report = panflow.sharpen_file(*inputs(s3), out := s3.url("out/sharp.tif"), **OPTIONS)
    assert report.output == out
    assert s3.get("out/sharp.tif") == (scene / "sharp.tif").read_bytes()
    with pytest.raises(OutputExists, match="exists: give another name, or --overwrite"):
        panflow.sharpen_file(*inputs(s3), out, **OPTIONS)
    s3.put("out/sharp.tif.aux.xml", b"<PAMDataset/>")
    panflow.sharpen_file(*inputs(s3), out, overwrite=True, **OPTIONS | {"method": "gsa"})
    assert s3.get("out/sharp.tif") != (scene / "sharp.tif").read_bytes()
    assert s3.list() == {"in/ms.tif", "in/pan.tif", "out/sharp.tif"}


def test_command_line_with_folder_and_quicklook(s3, scene):
    command = [sys.executable, "-m", "panflow", "sharpen", s3.url("in"), s3.url("sharp.tif"), "-m", "brovey", "-q"]
    done = subprocess.run(
        [*command, "--register", "off", "--quicklook", s3.url("look.png")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with MemoryFile(s3.get("sharp.tif")) as file, file.open() as one, rasterio.open(scene / "sharp.tif") as other:
        assert (one.read() == other.read()).all()
    assert s3.get("look.png")[:4] == b"\x89PNG"


def test_judged_and_degraded_from_and_to_s3(s3, scene):
    s3.put("sharp.tif", (scene / "sharp.tif").read_bytes())
    assert panflow.assess_file(s3.url("sharp.tif"), *inputs(s3), indices=["d_s", "hqnr"], maps=s3.url("maps")).indices
    assert s3.get("maps/d_s.png")[:4] == b"\x89PNG"
    panflow.degrade_file(*inputs(s3), s3.url("reduced"), register="off")
    assert {"reduced/pan.tif", "reduced/ms.tif", "reduced/reference.tif"} <= s3.list()


def test_landsat_folder_and_metadata_file(s3):
    name = "LC08_L1TP_204023_20200927_20201006_02_T1"
    for key in (*(f"{name}_B{i}.TIF" for i in range(1, 9)), f"{name}_MTL.txt"):
        s3.put(f"archive/{name}/{key}", b"x")
    for given in (f"archive/{name}", f"archive/{name}/{name}_MTL.txt"):
        scene = find(s3.url(given))
        assert scene.pan == s3.url(f"archive/{name}/{name}_B8.TIF")
        assert scene.ms[0] == s3.url(f"archive/{name}/{name}_B2.TIF")
        assert scene.bands == ("blue", "green", "red", "nir", "swir1", "swir2")
    scenes, alone = find_all(s3.url(""))
    assert [scene.pan for scene in scenes] == [find(s3.url(f"archive/{name}")).pan, s3.url("in/pan.tif")]
    assert alone == []


def test_refused_before_any_work(s3, scene, monkeypatch):
    monkeypatch.setattr("panflow.scene.sharpen._sharpened", lambda *_: pytest.fail("work began"))
    pan, ms = inputs(s3)
    for out, error, words in (
        ("https://h.org/x.tif", OutputError, "cannot be written to: expected a file of this machine, s3://"),
        ("/vsizip/x.zip/x.tif", OutputError, "cannot be written to"),
        (pan, InputError, "is one of the inputs"),
        (s3.url("in/pan.tif.ovr"), InputError, "is a file that is read with"),
        ("s3://no-such-bucket/x.tif", OutputError, "s3://no-such-bucket, where x.tif should go, does not exist"),
        (f"s3://{s3.name}", OutputError, "is a whole bucket"),
    ):
        with pytest.raises(error, match=words):
            panflow.sharpen_file(pan, ms, out, overwrite=True, **OPTIONS)


def test_missing_and_forbidden_inputs_are_told_apart(s3, tmp_path, monkeypatch):
    pan, ms = inputs(s3)
    with pytest.raises(MissingInput, match=r"PAN file s3://.*/none.tif does not exist, or may not be seen"):
        panflow.sharpen_file(s3.url("none.tif"), ms, tmp_path / "x.tif", **OPTIONS)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(InputError, match="are the credentials set"):
        Remote(gdal_name(pan)).read_bytes()


@pytest.mark.parametrize("to", ["tmp", "s3"])
def test_every_fifth_request_may_fail(s3, s3_server, scene, tmp_path, monkeypatch, to):
    with faulty(s3_server, "refuse") as proxy:
        monkeypatch.setenv("AWS_S3_ENDPOINT", proxy)
        out = s3.url("sharp.tif") if to == "s3" else str(tmp_path / "sharp.tif")
        panflow.sharpen_file(*inputs(s3), out, **OPTIONS)
    result = s3.get("sharp.tif") if to == "s3" else Path(out).read_bytes()
    assert result == (scene / "sharp.tif").read_bytes()


@pytest.mark.parametrize("every", [2, 5, 9])
def test_answers_that_are_cut_off_are_never_pixels(s3, s3_server, scene, tmp_path, monkeypatch, every):
    out = tmp_path / "sharp.tif"
    with faulty(s3_server, "truncate", every) as proxy:
        monkeypatch.setenv("AWS_S3_ENDPOINT", proxy)
        try:
            panflow.sharpen_file(*inputs(s3), out, **OPTIONS)
        except Unreachable as error:
            assert "s3" in str(error) and not out.exists()
        else:
            assert out.read_bytes() == (scene / "sharp.tif").read_bytes()


def test_an_upload_that_arrives_short_is_no_result(s3, s3_server, monkeypatch, tmp_path):
    with faulty(s3_server, "lose") as proxy:
        monkeypatch.setenv("AWS_S3_ENDPOINT", proxy)
        with (
            pytest.raises(OutputError, match="bytes after the upload, expected 5000"),
            Output(s3.url("x.bin")) as output,
        ):
            output.write(bytes(5000))
    assert "x.bin" not in s3.list()


def test_what_appears_meanwhile_is_not_replaced(s3):
    with Output(s3.url("x.txt")) as output:
        s3.put("x.txt", b"theirs")
        with pytest.raises(OutputExists, match="appeared while it was being made"):
            output.write(b"ours")
    assert s3.get("x.txt") == b"theirs"


def test_large_files_go_up_in_parts(s3, monkeypatch):
    monkeypatch.setenv("VSIS3_CHUNK_SIZE", "5")  # MiB, the least that S3 takes
    data = b"0123456789abcdef" * (12 * 2**16)
    with Output(s3.url("large.bin")) as output:
        output.write(data)
    assert s3.get("large.bin") == data
    assert "-" in s3.client.head_object(Bucket=s3.name, Key="large.bin")["ETag"]  # which tells that parts came


def test_google_storage_is_the_same(s3, s3_server, scene, monkeypatch):
    """Its XML interface is that of S3."""
    monkeypatch.setenv("CPL_GS_ENDPOINT", f"http://{s3_server}/")
    monkeypatch.setenv("GS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("GS_SECRET_ACCESS_KEY", "b")
    pan, ms = (url.replace("s3://", "gs://") for url in inputs(s3))
    assert find(pan.removesuffix("/pan.tif")).files == [pan, ms]
    panflow.sharpen_file(pan, ms, f"gs://{s3.name}/sharp.tif", **OPTIONS)
    assert s3.get("sharp.tif") == (scene / "sharp.tif").read_bytes()


def test_web_as_input(scene, tmp_path):
    shutil.copy(scene / "pan.tif", tmp_path / "pan.tif")
    shutil.copy(scene / "ms.tif", tmp_path / "ms.tif")
    with web(tmp_path) as host:
        found = find(f"http://{host}/")
        assert found.files == [f"http://{host}/pan.tif", f"http://{host}/ms.tif"]
        out = tmp_path / "out.tif"
        panflow.sharpen_file(f"http://{host}/pan.tif?token=a/b", f"/vsicurl/http://{host}/ms.tif", out, **OPTIONS)
        assert out.read_bytes() == (scene / "sharp.tif").read_bytes()
        with pytest.raises(MissingInput, match="404"):
            panflow.sharpen_file(f"http://{host}/none.tif", found.ms, tmp_path / "y.tif", **OPTIONS)
    with pytest.raises(Unreachable, match="try again later"):
        panflow.sharpen_file("http://127.0.0.1:1/pan.tif", found.ms, tmp_path / "y.tif", **OPTIONS)


def test_a_sidecar_is_read_with_its_file(s3, scene):
    """Although GDAL is told not to look for any where there is none."""
    from panflow.files.source import open_dataset

    xml = '<PAMDataset><PAMRasterBand band="1"><Description>seen</Description></PAMRasterBand></PAMDataset>'
    s3.put("beside/pan.tif", (scene / "pan.tif").read_bytes())
    s3.put("beside/pan.tif.aux.xml", xml.encode())
    with open_dataset(s3.url("beside/pan.tif"), "PAN") as dataset:
        assert dataset.descriptions == ("seen",)


def test_a_listing_that_fails_is_no_empty_folder(s3, s3_server, monkeypatch):
    folder = path_of(s3.url("in"))
    with faulty(s3_server, "refuse", 2) as proxy:
        monkeypatch.setenv("AWS_S3_ENDPOINT", proxy)
        for _ in range(4):
            assert sorted(path.name for path in folder.iterdir()) == ["ms.tif", "pan.tif"]
    with faulty(s3_server, "refuse", 1) as proxy:
        monkeypatch.setenv("AWS_S3_ENDPOINT", proxy)
        with pytest.raises(Unreachable, match=r"folder s3://.*/in cannot be read now \(.*SlowDown"):
            find_all(s3.url("in"))
    monkeypatch.setenv("AWS_S3_ENDPOINT", s3_server)
    assert list(path_of(s3.url("none")).iterdir()) == []
    assert list(path_of("s3://no-such-bucket/x").iterdir()) == []
