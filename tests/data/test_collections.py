"""Published collections, from small files of their layouts."""

import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat

import panflow
from panflow.data import _tiles, nbu, synthetic
from panflow.data._tiles import Collection
from panflow.errors import InputError, MissingInput, UnknownName
from panflow.ops.degrade import wald
from panflow.ops.resample import ms_up
from panflow.sensors import fit_bands, load
from panflow.training import loop, recipe


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """pan.h5 with 5 tiles of 64 by the toolbox's protocol, 8 bands; nbu/ with 10 tiles, PAN 128, 8 bands."""
    root = tmp_path_factory.mktemp("collections")
    places = [synthetic.scene(256, load("worldview3"), seed=seed) for seed in range(5)]
    toolbox = {"phase": "toolbox", "arithmetic": "toolbox"}
    tiles = [wald(panflow.pairs.make_pair(p.pan, p.ms, "worldview3", **toolbox)) for p in places]
    with h5py.File(root / "train.h5", "w") as file:
        for key, name in (("pan", "pan"), ("ms", "ms"), ("gt", "reference")):
            file[key] = np.concatenate([getattr(tile, name) for tile in tiles])
        file["lms"] = np.concatenate([ms_up(tile) for tile in tiles])
    for folder in ("MS_256", "PAN_1024"):
        (root / "nbu" / folder).mkdir(parents=True)
    for k in range(10):
        pair = synthetic.scene(128, load("worldview3"), seed=k)
        keys = ("imgMS", "imgPAN") if k % 2 else ("I_MS", "block")
        ms, pan = np.moveaxis(pair.ms[0], 0, 2).astype(np.uint16), pair.pan[0, 0].astype(np.uint16)
        savemat(root / f"nbu/MS_256/{k + 1}.mat", {keys[0]: ms})
        savemat(root / f"nbu/PAN_1024/{k + 1}.mat", {keys[1]: pan})
    return root


def test_pancollection(root):
    tiles = _tiles.load(Collection("pancollection", "train.h5", "worldview3"), root)
    pair = tiles.pair([3, 1])
    with h5py.File(root / "train.h5") as file:
        for key, image in (("pan", pair.pan), ("ms", pair.ms), ("gt", pair.reference)):
            np.testing.assert_array_equal(image, file[key][:][[3, 1]].astype(np.float32))
        inner = (slice(None), slice(None), slice(28, -28), slice(28, -28))  # borders wrap around in the toolbox
        np.testing.assert_allclose(ms_up(pair)[inner], file["lms"][:][[3, 1]][inner], rtol=1e-5)
    assert (len(tiles), pair.sensor, pair.ratio) == (5, load("worldview3"), (4.0, 4.0))
    assert pair.ms.dtype == torch.float32


def test_pancollection_without_reference_and_foreign_files(root, tmp_path):
    with h5py.File(tmp_path / "full.h5", "w") as file:
        file["pan"], file["ms"] = np.ones((1, 1, 8, 8)), np.ones((1, 8, 2, 2))
    full = Collection("pancollection", "full.h5", "worldview3")
    assert _tiles.load(full, tmp_path).pair([0]).reference is None
    with pytest.raises(MissingInput, match=r"give --data"):
        _tiles.load(full, root)
    (tmp_path / "text.h5").write_text("no such thing")
    with pytest.raises(InputError, match="is no HDF5 file"):
        _tiles.load(Collection("pancollection", "text.h5", "worldview3"), tmp_path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="holds x: expected pan, ms"):
        _tiles.load(Collection("pancollection", "other.h5", "worldview3"), tmp_path)
    for pan, ms, gt in (
        ((2, 1, 64, 64), (6, 8, 16, 16), (6, 8, 64, 64)),
        ((6, 1, 60, 60), (6, 8, 16, 16), (6, 8, 60, 60)),
        ((6, 1, 64, 64), (6, 8, 16, 16), (6, 8, 64, 32)),
        ((), (6, 8, 16, 16), (6, 8, 64, 64)),
    ):
        with h5py.File(tmp_path / "odd.h5", "w") as file:
            file["pan"], file["ms"], file["gt"] = np.ones(pan), np.ones(ms), np.ones(gt)
        with pytest.raises(InputError, match=r"expected pan \[N, 1, rH, rW\]"):
            _tiles.load(Collection("pancollection", "odd.h5", "worldview3"), tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'pancollection'"):
        _tiles.load(Collection("pancolection", "other.h5", "worldview3"), tmp_path)
    with pytest.raises(InputError, match="geotiff is no format of collections"):
        _tiles.load(Collection("geotiff", "other.h5", "worldview3"), tmp_path)


def of_nbu(root, **options) -> _tiles.Tiles:
    return _tiles.load(Collection("nbu", "nbu", "worldview3", **options), root)


def test_nbu_as_it_is(root):
    tiles = of_nbu(root, bands=(1, 2, 4, 6))
    pair = tiles.pair([1])  # the names are sorted as text: 1, 10, 2, ...
    whole = synthetic.scene(128, load("worldview3"), seed=9)
    np.testing.assert_array_equal(pair.ms, whole.ms[:, [1, 2, 4, 6]].astype(np.uint16))
    np.testing.assert_array_equal(pair.pan, whole.pan.astype(np.uint16))
    assert [b.name for b in pair.sensor.bands] == ["blue", "green", "red", "nir1"] and pair.phase == ((1.5, 1.5),) * 4


def test_nbu_parts_are_all_and_do_not_meet(root):
    parts = {part: of_nbu(root, part=part) for part in ("train", "val", "test")}
    assert [len(tiles) for tiles in parts.values()] == [7, 1, 2]
    levels = [
        float(np.asarray(ms).mean())
        for part, tiles in parts.items()
        for ms in (tiles.reference if part != "test" else tiles.ms)
    ]
    assert len(set(levels)) == 10
    assert sorted(levels) == sorted(float(np.asarray(ms).mean()) for ms in of_nbu(root).ms)


def test_nbu_reduced_by_wald(root):
    pair = of_nbu(root, part="train").pair([2])
    assert pair.ms.shape == (1, 8, 8, 8) and pair.reference.shape == (1, 8, 32, 32) and pair.pan.shape[-1] == 32
    again = wald(pair_of(pair.reference))
    np.testing.assert_allclose(pair.ms, again.ms, rtol=1e-6)


def pair_of(ms: torch.Tensor):
    return panflow.types.Pair(
        torch.zeros(1, 1, 128, 128), ms, (4.0, 4.0), ((1.5, 1.5),) * ms.shape[1], load("worldview3")
    )


def test_nbu_by_a_list_of_names(root):
    (root / "mine.txt").write_text("3\n10.mat\n")
    tiles = of_nbu(root, split="mine.txt")
    whole = of_nbu(root)
    assert len(tiles) == 2 and np.array_equal(tiles.ms[1], whole.ms[1]) and np.array_equal(tiles.ms[0], whole.ms[3])


def test_nbu_foreign_files(root, tmp_path):
    with pytest.raises(MissingInput, match="no folder"):
        of_nbu(tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        of_nbu(root, part="trian")
    with pytest.raises(MissingInput, match=r"no .*7x\.mat"):
        (root / "typo.txt").write_text("7x")
        of_nbu(root, split="typo.txt")


def test_unipans_reduction_equals_the_recorded_one(shared):
    with np.load(shared / "golden/networks/unipan/transform_and_metrics.npz") as arrays:
        ms, pan = (torch.from_numpy(arrays[key]) for key in ("ms", "pan"))
        down, pan_down, up = (arrays[key] for key in ("ms_down", "pan_down", "ms_down_up"))
    sensor = fit_bands(load("ikonos"), 4)
    reduced = nbu.unipan(panflow.types.Pair(pan, ms, (4.0, 4.0), ((1.5, 1.5),) * 4, sensor))
    np.testing.assert_allclose(reduced.ms, down, rtol=0, atol=1e-6)
    np.testing.assert_allclose(reduced.pan, pan_down, rtol=0, atol=1e-6)
    assert np.abs(ms_up(reduced).numpy() - up).mean() < 0.1 * np.abs(up - up.mean()).mean()  # another interpolation


def test_a_damaged_file_is_refused_or_read(root, tmp_path):
    """Bits of what describes the images are turned, as a bad disk does."""
    data = (root / "train.h5").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for _ in range(60):
        damaged = bytearray(data)
        for at in rng.integers(8, 3000, 3):
            damaged[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "bad.h5").write_bytes(damaged)
        try:
            _tiles.load(Collection("pancollection", "bad.h5", "worldview3"), tmp_path)
        except InputError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("format", ["pancollection", "nbu"])
def test_a_network_of_fixed_bands_trains_on_a_collection(root, tmp_path, format):
    path = "train.h5" if format == "pancollection" else "nbu"
    part = "" if format == "pancollection" else ', part = "train"'
    collection = f'[{{ format = "{format}", path = "{path}", sensor = "worldview3"{part} }}]'
    overrides = [
        f"data = {{ root = '{root}', collections = {collection}, batch = 2, patch = 256 }}",
        f"validation = {{ root = '{root}', collections = {collection}, count = 2 }}",
        'network = { name = "fusionnet", bands = 8, width = 4, blocks = 1 }',
        'transform = { name = "unipan", fit = "train", m = 50 }',
        "run = { steps = 4, log = 1 }",
    ]
    path = loop.train("regression-any-sensor", tmp_path, overrides=overrides, device="cpu", progress=False)
    assert (tmp_path / "validation.csv").read_text().splitlines()[1].startswith("4,")
    model = panflow.load(path)
    assert model.info["data"][0]["source"] in ("train.h5", "nbu")
    tiles = _tiles.load(recipe.load("regression-any-sensor", overrides).data.collections[0], root)
    assert model.fit([tiles.pair([0])])(tiles.pair([0])).isfinite().all()
    tables = [each.transform.table("ms") for each in (model, panflow.load(path))]
    assert np.array_equal(*tables)  # learned once, kept in the file
