"""The classical plan against the tables that the field's reference toolbox made of the same images, drawn and real."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from recordings import DRAWN, TOOLBOX, recording

import panflow
from panflow.bench import plan as plans
from panflow.bench.plan import Data

PLAN = Path(__file__).parents[2] / "benchmarks/plans/classical.toml"
RECORDED = {  # column -> name in the recording, where it is another
    "SCC 2015": "v15_SCC",
    "D_lambda paper": "paper_D_lambda",
    "D_s paper": "paper_D_s",
    "D_s 2015": "v15_D_s",
    "D_sR": "D_sR_lambdapnn",
} | {f"{name} c21": f"cut21_{name}" for name in ("Q2n", "Q_avg", "SAM", "ERGAS", "SCC")}
CASES = {"WorldView-2": "wv2", "IKONOS": "ik"}
# C_GSA's segments come from a random start in the toolbox; ours are drawn once for all
LABELS = [method.label for method in plans.load(PLAN).methods if method.label != "C_GSA"]


def compare(sets: tuple[Data, ...], images: Path, folder: Path, labels: Collection[str] = LABELS) -> int:
    """Numbers of the plan's table of these sets that are compared with the recorded ones."""
    plan = plans.load(PLAN)
    digits = {column.label: column.digits for column in plan.indices}
    ikonos = tuple(data.name for data in sets if data.sensor == "ikonos")  # of which alone the toolbox defines TV
    methods = tuple(replace(m, only=ikonos if m.only else ()) for m in plan.methods if m.label in labels)
    plan = replace(plan, data=sets, methods=methods, figures=(), pictures=0)
    panflow.benchmark(plan, folder, data=images)
    compared = 0
    for line in (folder / "results.jsonl").read_text().splitlines():
        result = json.loads(line)
        case = case_of(result["data"])
        for column, value in result["indices"].items():
            name = RECORDED.get(column, column.replace("-", "_").replace(" ", "_"))
            if name == "v15_D_s" and case == "pair8":
                continue  # the toolbox of 2015 has no WorldView-3
            expected = recording(case).metrics[result["method"]][name]
            # equal as printed, unless the two lie on either side of a rounding step
            assert abs(value - expected) < 0.5 * 10 ** -digits[column], (result["method"], case, column)
            compared += 1
    return compared


def case_of(data: str) -> str:
    """The recording of a set's name."""
    if data in DRAWN:
        return data
    sensor, protocol, size = data.split(", ")
    return f"{CASES[sensor]}_{'rr' if protocol == 'reduced' else 'fr'}{size}"


def write(path: Path, image: np.ndarray) -> None:
    count, height, width = image.shape
    with rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width, dtype="uint16") as file:
        file.write(image.astype("uint16"))


def test_tables_of_drawn_pairs_equal_the_toolbox(tmp_path):
    sets = []
    for name in DRAWN:
        case = recording(name)
        (tmp_path / name).mkdir()
        for role, image in (("pan", case.pan[None]), ("ms", case.ms), ("reference", case.reference)):
            write(tmp_path / name / f"{role}.tif", image)
        sets.append(Data(name, case.sensor, folder=name, **TOOLBOX))
    labels = ("EXP", "GSA", "MTF_GLP_FS", "TV")  # tests/golden compares all of them
    assert compare(tuple(sets), tmp_path, tmp_path / "run", labels) == 4 * (13 + 18) + 3 * (13 + 17)


@pytest.mark.slow
def test_all_tables_equal_the_toolbox(shared, tmp_path):
    assert compare(plans.load(PLAN).data, shared / "data", tmp_path) == 2 * (21 + 22) * (13 + 18)
