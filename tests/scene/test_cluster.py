"""One scene on a dask cluster of two processes: the same bytes, workers killed, workers that cannot take part."""

import os
import signal
from itertools import count

import numpy as np
import pytest
from rasters import drawn, save_pair

import panflow
from panflow.errors import InputError
from panflow.files.sink import Profile
from panflow.scene import cluster

distributed = pytest.importorskip("distributed")


@pytest.fixture(autouse=True)
def no_clock(monkeypatch):
    """So that files which are alike have the same bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as local, distributed.Client(local) as client:
        yield client


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Nine blocks, the last ones small."""
    pan, ms = (np.tile(image, (1, 5, 5)) for image in drawn(256)[:2])
    return save_pair(tmp_path_factory.mktemp("scene"), pan[:, :1100, :1160], ms[:, :275, :290])


def run(files, out, **options):
    usual = {"method": "gsa", "sensor": "ikonos", "register": "off", "mtf": "sensor", "jobs": 1, "overwrite": True}
    report = panflow.sharpen_file(*files, out, **usual | {"profile": Profile(format="gtiff")} | options)
    return out.read_bytes(), report


@pytest.mark.parametrize(
    "options",
    [{}, {"method": "bandwise", "pixels": "0,0,90,90"}, {"profile": Profile()}, {"pixels": "90,20,700,610"}],
    ids=["gsa", "bandwise", "cog", "part"],
)
def test_the_file_is_the_same(client, files, tmp_path, options):
    expected, alone = run(files, tmp_path / "alone.tif", **options)
    found, report = run(files, tmp_path / "many.tif", scheduler=client, **options)
    assert found == expected
    assert (report.clipped_pixels, report.nodata_pixels) == (alone.clipped_pixels, alone.nodata_pixels)


def test_an_address_is_enough(client, files, tmp_path, monkeypatch):
    monkeypatch.chdir(files[0].parent)
    expected, _ = run(files, tmp_path / "alone.tif", method="brovey")
    address = client.scheduler.address
    assert run(("pan.tif", "ms.tif"), tmp_path / "out.tif", method="brovey", scheduler=address)[0] == expected
    with pytest.raises(InputError, match="no dask scheduler answers at tcp://127"):
        monkeypatch.setattr(cluster, "PATIENCE", "1s")
        run(files, tmp_path / "out.tif", scheduler="tcp://127.0.0.1:9")


def test_a_worker_that_is_killed_costs_nothing_but_time(client, files, tmp_path):
    expected, _ = run(files, tmp_path / "alone.tif")
    seen = count()

    def kill(stage, done, total):
        if stage == "sharpen" and next(seen) == 1:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    assert run(files, tmp_path / "many.tif", scheduler=client, progress=kill)[0] == expected


def test_groups_take_half_a_second():
    """One block at first; then as many as were fast enough."""

    class Future:
        def __init__(self, group):
            self.group = group

        def result(self):
            return self.group, 0.1 * len(self.group)

    sizes = []

    class Client:
        def submit(self, function, job, group, **options):
            sizes.append(len(group))
            return Future(group)

        def cancel(self, futures):
            pass

    job = type("Job", (), {"key": "job"})
    assert list(cluster._gathered(Client(), job, range(40), 1)) == list(range(40))
    assert sizes[: cluster.AHEAD] == [1] * cluster.AHEAD
    assert set(sizes[cluster.AHEAD : -1]) == {5}


def test_workers_that_cannot_take_part_are_named_before_any_work(client, files, tmp_path, monkeypatch):
    seen = cluster._seen
    for there, message in (
        (lambda paths: ("0.0.1", seen(paths)[1]), r"has panflow 0\.0\.1: expected"),
        (
            lambda paths: (seen(paths)[0], [None, None]),
            "cannot open .*pan.tif: expected a folder that",
        ),
        (lambda paths: (seen(paths)[0], [seen(paths)[1][0], "other"]), "sees another file as .*ms.tif"),
        (lambda paths: 1 / 0, "cannot take part: division by zero"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(client, "run", lambda function, *arguments, there=there, **options: _tried(there, arguments))
            with pytest.raises(InputError, match=f"the worker tcp://one {message}"):
                run(files, tmp_path / "out.tif", scheduler=client)
    assert not list(tmp_path.iterdir())


def _tried(function, arguments):
    try:
        return {"tcp://one": function(*arguments)}
    except ZeroDivisionError as error:
        return {"tcp://one": error}


def test_files_are_compared_by_their_pixels(files, tmp_path):
    one = cluster._digest(str(files[1]))
    assert one and one == cluster._digest(str(files[1]))
    pan, ms = (np.tile(image, (1, 5, 5)) for image in drawn(256, seed=2)[:2])
    assert one != cluster._digest(str(save_pair(tmp_path, pan[:, :1100, :1160], ms[:, :275, :290])[1]))
    assert cluster._digest(str(tmp_path / "none.tif")) is None
