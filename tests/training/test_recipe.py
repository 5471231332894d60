"""Recipes: typos, overrides, extension, and the way to TOML and back."""

import pytest
from runs_of_seconds import TINY

from panflow.errors import InputError, UnknownName
from panflow.learned.file import build
from panflow.training import recipe

NAME = "regression-any-sensor"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optimizer.floor = 0.1", "recipe regression-any-sensor: no key 'optimizer': did you mean 'optimiser'"),
        ("run.step = 3", "recipe regression-any-sensor: no key in run: 'step': did you mean 'steps'"),
        ("data.sources = [{ foldr = 'x' }]", r"no key in data.sources\[0\]: 'foldr': did you mean 'folder'"),
    ],
)
def test_a_typo_names_the_key_and_the_nearest(override, said):
    with pytest.raises(UnknownName, match=said):
        recipe.load(NAME, [override])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("network.widht = 8", "no option of network bandwise 'widht': did you mean 'width'"),
        ("objective.name = 'regresion'", "no objective 'regresion': did you mean 'regression'"),
        ("transform.fitt = 'scene'", "'fitt': did you mean 'fit'"),
        ("objective.nrom = 'l2'", "objective regression: no key 'nrom': did you mean 'norm'"),
        ("objective.norm = 'l3'", "no norm 'l3': expected one of l1, l2"),
    ],
)
def test_a_typo_in_an_option_names_the_nearest_too(override, said):
    settings = recipe.load(NAME, [override])
    with pytest.raises(UnknownName, match=said):
        build({k: getattr(settings, k) for k in ("network", "transform", "objective")})


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("run.steps = 'many'", "run.steps = 'many' is of the wrong kind: expected int"),
        ("run.steps = true", "run.steps = True is of the wrong kind"),
        ("augment.gain = [0.1]", "augment.gain"),
        ("run.steps", "expected section.key=value"),
        ("data = 3", "data = 3 is of the wrong kind: expected a table"),
    ],
)
def test_a_wrong_value_is_named(override, said):
    with pytest.raises(InputError, match=said):
        recipe.load(NAME, [override])


def test_overrides_reach_their_key():
    made = recipe.load(NAME, ["run.steps=7", "optimiser.rates.net = 1", "title = plain text", "augment.bands = [3]"])
    assert (made.run.steps, made.optimiser.rates["net"], made.title) == (7, 1.0, "plain text")
    assert made.augment.bands == (3,)
    assert made.network == recipe.load(NAME).network


def test_a_recipe_extends_another(tmp_path):
    (tmp_path / "base.toml").write_text(
        'title = "base"\n[network]\nname = "pnn"\nbands = 4\n[transform]\nname = "scale"\n'
        '[objective]\nname = "regression"\n[optimiser]\nname = "adam"\ndecay = 0.5\n'
    )
    (tmp_path / "mine.toml").write_text(
        'extends = "base"\n[network]\nname = "bandwise"\n[optimiser]\nname = "sgd"\n[run]\nsteps = 3\n'
    )
    made = recipe.load(tmp_path / "mine.toml")
    assert made.network == {"name": "bandwise"}  # another network has other options
    assert (made.optimiser.name, made.optimiser.decay, made.title, made.run.steps) == ("sgd", 0.5, "base", 3)


def test_a_recipe_may_have_the_name_of_what_it_extends_but_no_circle(tmp_path):
    (tmp_path / "pnn.toml").write_text('extends = "pnn"\ntitle = "mine"\n')
    made = recipe.load(tmp_path / "pnn.toml")
    assert (made.title, made.network) == ("mine", recipe.load("pnn").network)
    (tmp_path / "a.toml").write_text('extends = "b"\n')
    (tmp_path / "b.toml").write_text('extends = "a"\n')
    with pytest.raises(InputError, match=r"recipe .*a\.toml extends itself"):
        recipe.load(tmp_path / "a.toml")


def test_recipes_mix(tmp_path, monkeypatch):
    (tmp_path / "base.toml").write_text(
        'title = "base"\n[network]\nname = "pnn"\nbands = 4\n[transform]\nname = "scale"\n'
        '[objective]\nname = "regression"\n[run]\nsteps = 9\nlog = 9\n'
    )
    (tmp_path / "short.toml").write_text("[network]\nbands = 8\n[run]\nsteps = 5\nlog = 5\n")
    (tmp_path / "mine.toml").write_text('extends = ["base", "short"]\n[run]\nlog = 1\n')
    made = recipe.load(tmp_path / "mine.toml")
    assert (made.run.steps, made.run.log, made.title, made.network) == (5, 1, "base", {"name": "pnn", "bands": 8})
    monkeypatch.chdir(tmp_path)
    assert recipe.load("base.toml+short.toml") == recipe.load("base.toml+short.toml+mine.toml", ["run.log = 5"])
    assert recipe.load("table4-otfm+_small").network["size"] == "tiny"
    with pytest.raises(UnknownName, match="no recipe '_smal'"):
        recipe.load("table4-otfm+_smal")
    (tmp_path / "a+b.toml").write_text('extends = "base"\n')  # a file that is there is a file
    assert recipe.load(tmp_path / "a+b.toml").title == "base"


def test_a_recipe_that_says_too_little_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_text('[network]\nname = "pnn"\n')
    with pytest.raises(InputError, match=r"mine\.toml: transform is missing"):
        recipe.load(tmp_path / "mine.toml")
    with pytest.raises(UnknownName, match="did you mean 'regression-any-sensor'"):
        recipe.load("regression-any-sensr")
    with pytest.raises(InputError, match="no recipe"):
        recipe.load("absent.toml")


def test_a_model_file_is_told_nothing_of_this_machine():
    made = recipe.load(NAME, [*TINY, "data.root = '/here'", "validation.root = '/there'", "run.start = '/where/a.st'"])
    assert "here" not in str(recipe.portable(made)) and recipe.portable(made)["run"]["start"] == "a.st"
