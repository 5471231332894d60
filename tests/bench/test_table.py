"""Tables: means and deviations as printed, marks, significance, published numbers beside; every format."""

import csv
import io
import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from panflow.bench import formats, table
from panflow.bench.ledger import Result
from panflow.bench.plan import Column, Data, Layout, Method, Plan


def result(method, image, data="WV3", **indices):
    return Result("k", method, data, str(image), "reduced", indices, 0.5, 1, 10.0, 0)


def rows(values, data="WV3", tags=None):
    """values: method -> SAM of its images."""
    return [
        (Method(name, "exp", tags=(tags or {}).get(name, {})), result(name, k, data, SAM=value))
        for name, each in values.items()
        for k, value in enumerate(each)
    ]


def plan(**changes):
    base = {"title": "t", "methods": (), "data": (Data("WV3"),), "indices": (Column("sam", digits=2),), "measures": ()}
    return Plan(**base | changes)


def cells(made, column=0):
    return {title: row[column] for title, row in made.rows}


def test_mean_and_deviation_over_images():
    (made,) = table.build(plan(), rows({"a": [2.0, 4.0, 3.0]}))
    cell = cells(made)["a"]
    assert (cell.mean, cell.std) == (3.0, 1.0)
    assert formats.text(cell, made.heads[0]) == "3.00±1.00"


def test_a_single_image_has_no_deviation():
    (made,) = table.build(plan(), rows({"a": [2.0]}))
    assert math.isnan(cells(made)["a"].std) and formats.text(cells(made)["a"], made.heads[0]) == "2.00"


@pytest.mark.parametrize("index, best, second", (("sam", "a", "b"), ("q2n", "c", "b")))
def test_best_and_second_follow_the_index(index, best, second):
    made = rows({"a": [1.0], "b": [2.0], "c": [3.0]})
    (built,) = table.build(plan(indices=(Column(index, label="SAM"),)), made)
    ranks = {title: cell.rank for title, cell in cells(built).items()}
    assert ranks[best] == 1 and ranks[second] == 2 and sorted(ranks.values()) == [0, 1, 2]


def test_what_prints_alike_ranks_alike():
    (made,) = table.build(plan(), rows({"a": [1.001], "b": [1.002], "c": [1.5]}))
    assert [cell.rank for cell in cells(made).values()] == [1, 1, 2]


def test_significance_is_paired():
    """Images differ much more than methods do, but b loses on every one of them, and c wins as often as it loses."""
    rng = np.random.default_rng(0)
    a = rng.uniform(0, 10, 20)
    noise = np.tile([-0.3, 0.3], 10)
    noise[0] += 0.5
    (made,) = table.build(plan(), rows({"a": a, "b": a + 0.1, "c": a + noise}))
    found = cells(made)
    assert not found["b"].same and found["b"].p < 0.01
    assert found["c"].same and found["c"].p > 0.05


def test_bootstrap_holds_its_level():
    """Without a difference, about one in twenty is called significant."""
    rng = np.random.default_rng(1)
    images = [str(k) for k in range(40)]
    zeros = dict.fromkeys(images, 0.0)
    found = [table.paired(dict(zip(images, rng.normal(size=40))), zeros, seed) < 0.05 for seed in range(400)]
    assert 0.025 < np.mean(found) < 0.09


def test_too_few_images_say_nothing():
    assert math.isnan(table.paired({"0": 1.0}, {"0": 2.0}))


def test_published_numbers_stand_beside():
    made = rows({"DiCNN": [3.0, 4.0], "ours": [3.0, 3.0]})
    (built,) = table.build(plan(paper="otfm-table1"), made)
    paper, none = cells(built).values()
    assert paper.paper[:2] == (3.59, 0.76) and none.paper is None
    assert formats.published(paper, built.heads[0]) == "3.59±0.76; -0.09"
    assert "Table 1" in built.note and "-0.09" in formats.markdown(built)


def test_matrix_means_over_networks_and_compares_with_the_baseline():
    tags = {}
    values = {}
    for network, shift in (("x", 0.0), ("y", 1.0)):
        for transform, gain in (("none", 0.0), ("uniform", 0.2)):
            name = f"{network} {transform}"
            tags[name] = {"network": network, "transform": transform, "trained on": "GF1"}
            values[name] = [0.5 + shift + gain, 0.7 + shift + gain]
    layout = Layout("matrix", "trained on", ("transform", "none"))
    qnr = (Column("qnr", label="SAM"),)
    (made,) = table.build(plan(layout=layout, indices=qnr, data=(Data("IK"),)), rows(values, "IK", tags))
    (cell,) = made.rows[0][1]
    assert cell.mean == pytest.approx(0.6 + 0.5 + 0.2) and cell.delta == pytest.approx(0.2)
    assert formats.text(cell, made.heads[0]) == "1.300 (+0.200)"


def test_rows_over_seeds_deviate_by_seed_and_not_by_image():
    seeds = {"0": [1.0, 5.0], "1": [3.0, 9.0]}
    made = [
        (
            Method(f"trained, {seed}, L1", "exp", tags={"seed": seed, "objective": "L1"}),
            replace(result("any", k, SAM=value), tags={"seed": seed}),
        )
        for seed, values in seeds.items()
        for k, value in enumerate(values)
    ]
    (built,) = table.build(plan(layout=Layout(over="seed")), rows({"exp": [7.0, 9.0]}) + made)
    cell = cells(built)["L1"]
    assert list(cells(built)) == ["exp", "L1"] and list(cell.values) == ["0", "1"]
    assert (cell.mean, cell.std) == (4.5, pytest.approx(3 / math.sqrt(2)))
    assert cells(built)["exp"].std == pytest.approx(math.sqrt(2))


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.classes, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "td":
            self.classes.append(dict(attributes)["class"])


def test_every_format_tells_the_same():
    (made,) = table.build(plan(), rows({"a_1": [1.0, 2.0], "b": [2.0, 3.0], "<c>": [5.0, 6.0]}))
    markdown, latex, html = formats.markdown(made), formats.latex(made), formats.as_html(made)
    assert "| a_1 | **1.50±0.71** |" in markdown and "<u>2.50±0.71</u>" in markdown
    assert r"a\_1 & \textbf{1.50$\pm$0.71} \\" in latex and r"\underline{2.50$\pm$0.71}" in latex
    parser = Cells()
    parser.feed(html)
    assert parser.classes == ["best", "second", ""] and "&lt;c&gt;" in html and "c" not in parser.tags
    read = list(csv.DictReader(io.StringIO(formats.as_csv(made))))
    assert [float(row["SAM"]) for row in read] == [1.5, 2.5, 5.5] and read[0]["SAM images"] == "2"
