"""Plans: keys are checked, axes become methods."""

import pytest

from panflow.bench import plan as plans
from panflow.errors import InputError, UnknownName
from panflow.settings import as_toml

FULL = {
    "title": "small",
    "methods": [{"label": "EXP", "name": "exp"}],
    "data": [{"name": "drawn"}],
    "indices": [{"index": "sam"}],
}


def written(folder, text):
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_axes_become_methods_with_whole_recipes():
    plan = plans.load("unipan-table1")
    assert len(plan.methods) == 12 * 3 * 6
    one = next(m for m in plan.methods if m.tags == {"network": "MDCUN", "transform": "normal", "trained on": "WV2"})
    assert one.train["network"] == {"name": "mdcun", "bands": 4, "form": "unipan"}
    assert one.train["transform"] == {"name": "unipan", "fit": "train", "unit": "bits", "target": "normal"}
    assert one.train["data"]["batch"] == 4 and one.train["data"]["collections"][0]["bands"] == [1, 2, 4, 6]


def test_the_last_word_is_the_budgets():
    plan = plans.load("otfm-table1")
    steps = {method.label: method.train["run"]["steps"] for method in plan.methods if method.train}
    assert set(steps.values()) == {30000} and "PanDiff" in steps
    pandiff = next(method for method in plan.methods if method.label == "PanDiff")
    assert pandiff.train["objective"]["steps"] == 1000 and pandiff.train["network"]["bands"] == 8


@pytest.mark.parametrize(
    "wrong, message",
    (
        ("sed = 3", "plan .*plan.toml: no key 'sed': did you mean 'seed'"),
        ('figures = ["bar"]', "did you mean 'bars'"),
        ('indices = [{ index = "sm" }]', "did you mean"),
        ('data = [{ name = "x", protocols = ["reduce"] }]', "did you mean 'reduced'"),
        ('methods = [{ label = "a", name = "exp", only = ["drwn"] }]', "did you mean 'drawn'"),
        ('layout = { kind = "matrx" }', "did you mean 'matrix'"),
        ('data = [{ name = "x", collection = { pth = "x" } }]', r"in data\[0\].collection: 'pth': did you mean 'path'"),
        (
            'methods = [{ label = "a", train = { run = { step = 3 } } }]',
            "recipe of method 'a': no key in run: 'step': did you mean 'steps'",
        ),
    ),
)
def test_what_is_unknown_names_the_nearest(tmp_path, wrong, message):
    base = as_toml({key: value for key, value in FULL.items() if not wrong.startswith(f"{key} ")})
    with pytest.raises(UnknownName, match=message):
        plans.load(written(tmp_path, f"{wrong}\n{base}"))


@pytest.mark.parametrize(
    "methods",
    (
        [{"label": "a", "name": "exp"}, {"label": "a", "name": "gsa"}],
        [{"label": "a"}],
        [{"label": "a", "name": "exp", "train": {"network": {"name": "pnn"}}}],
    ),
)
def test_a_row_has_one_meaning(tmp_path, methods):
    with pytest.raises(InputError):
        plans.load(written(tmp_path, as_toml(FULL | {"methods": methods})))


def test_overrides_have_the_last_word(tmp_path):
    path = written(tmp_path, as_toml(FULL))
    assert plans.load(path, ["seed=7", "layout.rows=m"]).layout.rows == "m"
    assert plans.load(path, ["seed=7"]).seed == 7


def test_essence_leaves_defaults_out():
    data = plans.Data("drawn", "ikonos", size=128, bands=(0, 1))
    assert plans.essence(data) == {"name": "drawn", "sensor": "ikonos", "size": 128, "bands": (0, 1)}


def test_bands_that_are_not_there_are_refused(tmp_path):
    from panflow.bench import images

    data = plans.Data("drawn", sensor="ikonos", size=64, bands=(0, 99))
    with pytest.raises(InputError, match="no band 99: ikonos has 4"):
        next(images.load(data, tmp_path, 0)).make()
