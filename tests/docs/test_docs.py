"""The docs: links lead somewhere, pages are reachable, names exist, tables say where they come from, examples work."""

import importlib
import json
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from panflow import registry
from panflow.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLES = sorted(ROOT.glob("docs/extend/*.md"))
MADE = re.compile(r"^(Made by|Condensed from) `[^`]+`.*, \d{4}-\d\d-\d\d \([0-9a-f]{7}\)\.$")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"(?s:^```.*?^```$)|^    .*$", "", page.read_text(encoding="utf-8"), flags=re.M)


def links(page: Path) -> list[tuple[str, str]]:
    """(path, anchor) of every link and picture that stays in the project."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [(p, a) for p, _, a in (link.partition("#") for link in found) if "://" not in p]


def anchors(page: Path) -> set[str]:
    """Its headings as links name them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {path}"
        assert not anchor or anchor in anchors(target), f"{name_of(page)} links to {path}#{anchor}"


def test_every_page_is_reachable_from_the_readme():
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen:
            seen.add(page)
            todo += [(page.parent / path).resolve() for path, _ in links(page) if path.endswith(".md")]
    assert {name_of(page) for page in PAGES} - {name_of(page) for page in seen} == set()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_that_are_named_exist(page):
    """`tests/...`, `benchmarks/...`, and modules of panflow: `ops/degrade.py`, `files/tiff.py`."""
    for path in re.findall(r"`((?:[\w.]+/)*[\w.]+\.(?:py|toml|bib))`", prose(page)):
        if re.search(r"NAME|KIND", path) or page.name == "CHANGELOG.md":
            continue
        near = [ROOT, ROOT / "src/panflow", *(p for p in (ROOT / "src/panflow").iterdir() if p.is_dir())]
        assert any((folder / path).is_file() for folder in near) or "/" not in path, f"{name_of(page)}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_on_the_command_line_exist(page):
    text = page.read_text(encoding="utf-8")
    known = {*registry.names("methods"), *registry.names("models")}
    for group in re.findall(r"--methods? ([\w,./]+)", text):
        for name in group.split(","):
            assert name in known or "." in name or name.isupper(), f"{name_of(page)}: no method {name}"
    for sensor in re.findall(r"""(?:--sensor |sensor=["'])(\w+)""", text):
        assert sensor in registry.names("sensors") or sensor.isupper(), f"{name_of(page)}: no sensor {sensor}"
    for network in re.findall(r"--network (\w+)", text):
        assert network in registry.names("networks"), f"{name_of(page)}: no network {network}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_on_the_command_line_exist(page):
    """`panflow COMMAND ... --option`, line by line."""
    commands = {name: cli.get_command(None, name) for name in cli.list_commands(None)}
    for command, line in re.findall(rf"panflow ({'|'.join(commands)})\b([^`\n#]*)", page.read_text(encoding="utf-8")):
        parameters = commands[command].params
        options = {option for p in parameters for option in (*p.opts, *p.secondary_opts)} | {"--help"}
        assert {word for word in line.split() if word.startswith("--")} <= options, f"{name_of(page)}: {command}{line}"


def test_the_readme_lists_the_sensors():
    from panflow import sensors

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [
        n for n in registry.names("sensors") if n != "generic" and sensors.load(n).title.split(" (")[0] not in text
    ] == []


@pytest.mark.parametrize("kind", ["methods", "indices"])
def test_every_name_has_a_row(kind):
    text = (ROOT / f"docs/use/{kind}.md").read_text(encoding="utf-8")
    assert [name for name in registry.names(kind) if not re.search(rf"^\|.*`{name}`", text, re.M)] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/evidence/*.md")), ids=name_of)
def test_a_table_of_evidence_says_what_made_it(page):
    if page.name == "README.md":
        return
    said = False
    for line, after in zip(lines := prose(page).splitlines(), [*lines[1:], ""]):
        said = bool(MADE.match(line)) or (said and not line.startswith("## "))
        if line.startswith("|") and re.match(r"\| ?-", after):
            assert said, f"{name_of(page)}: {line[:60]}"


def test_tables_of_evidence_are_as_they_were_measured():
    """A block that names the command, date and commit of a line in results.jsonl holds what that line says."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import evidence

    lines = [json.loads(line) for line in evidence.RESULTS.read_text(encoding="utf-8").splitlines()]
    assert lines
    for page in evidence.EVIDENCE.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for line in lines:
            if "Made by `{command}`, {date} ({commit}).".format(**line) in text:
                assert evidence.rendered(text, {line["command"]: line}) == text, f"{page.name}: {line['command']}"


def example(page: Path, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    assert found, f"{name_of(page)} has no example"
    return found[1]


def module(name: str) -> dict:
    values = {"__name__": f"example_{name}"}
    exec(compile(example(ROOT / f"docs/extend/{name}.md", "python"), name, "exec", dont_inherit=True), values)
    return values


@pytest.fixture(scope="module")
def pair():
    from panflow import sensors
    from panflow.data import synthetic

    return synthetic.scene(64, sensors.load("ikonos"))


def test_the_example_of_a_method_sharpens(pair):
    import panflow

    fused = panflow.sharpen(pair.pan[0], pair.ms[0], method=module("method")["Method"](), sensor="ikonos")
    error, before = (
        np.abs(x - pair.reference[0]).mean() for x in (fused, panflow.sharpen(pair.pan[0], pair.ms[0], method="exp"))
    )
    assert error < before


def test_the_example_of_an_index_measures(pair):
    import panflow

    truth = np.asarray(pair.reference[0], dtype=float)
    scores = panflow.assess(truth + 3, reference=truth, indices={"mae": module("quality-index")["Index"]()})
    assert scores["mae"] == pytest.approx(3)


def test_the_example_of_a_cluster_sharpens(pair, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from panflow.data import synthetic

    synthetic.write(pair, tmp_path, phase=(1.5, 1.5))
    monkeypatch.chdir(tmp_path)
    values = {}
    exec(compile(example(ROOT / "docs/use/archive.md", "python"), "archive", "exec", dont_inherit=True), values)
    assert values["report"].method == "gsa" and (tmp_path / "sharp.tif").exists()


@pytest.fixture
def added(monkeypatch):
    """Adds the example of a page under a name, as its file would."""
    names = dict.fromkeys(registry.KINDS, ())

    def add(kind: str, page: str, name: str) -> None:
        names[kind] = (name,)
        file = ModuleType(name)
        vars(file).update(module(page))
        monkeypatch.setitem(sys.modules, f"panflow.{kind}.{name}", file)

    listed = registry.names
    monkeypatch.setattr(registry, "names", lambda kind: (*listed(kind), *names[kind]))
    return add


def test_the_examples_of_what_is_learned_train(added, pair, tmp_path):
    import panflow
    from panflow.training import recipe

    added("networks", "network", "tiny")
    added("transforms", "transform", "level")
    added("objectives", "objective", "charbonnier")
    values = {
        "network": {"name": "tiny", "bands": 4},
        "transform": {"name": "level"},
        "objective": {"name": "charbonnier"},
        "data": {
            "synthetic": 1,
            "synthetic_size": 96,
            "synthetic_sensors": ["ikonos"],
            "tile": 48,
            "patch": 32,
            "batch": 2,
        },
        "augment": {"ratios": [4], "bands": [4]},
        "run": {"steps": 3},
    }
    panflow.train(recipe.typed(values), tmp_path)
    fused = panflow.sharpen(pair.pan[0], pair.ms[0], method=tmp_path / "model.safetensors", sensor="ikonos")
    assert fused.shape == pair.reference[0].shape and np.isfinite(fused).all()


def test_the_example_of_a_sensor_is_read():
    values = tomllib.loads(example(ROOT / "docs/extend/sensor.md", "toml"))
    like = tomllib.loads(registry.path("sensors", "ikonos").read_text(encoding="utf-8"))
    assert set(values) == set(like) and all(set(band) == set(like["bands"][0]) for band in values["bands"])


@pytest.mark.parametrize(("page", "reader"), [("recipe", "panflow.training.recipe"), ("plan", "panflow.bench.plan")])
def test_the_examples_of_settings_are_read(page, reader, tmp_path):
    file = tmp_path / f"{page}.toml"
    file.write_text(example(ROOT / f"docs/extend/{page}.md", "toml"), encoding="utf-8")
    assert importlib.import_module(reader).load(file).title
