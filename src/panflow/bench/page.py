"""The report: one HTML file with tables, figures and a swipe between any two methods, that needs nothing else."""

from __future__ import annotations

import html
import json
from collections import defaultdict
from pathlib import Path

from PIL import Image

from panflow.bench import figures, formats, pictures, table
from panflow.bench.plan import Plan
from panflow.bench.table import Rows
from panflow.files import output
from panflow.pictures.page import page, uri, viewer


def write(plan: Plan, rows: Rows, root: Path, folder: Path) -> Path:
    """tables/ and report.html of a plan's results; returns the report's path."""
    tables = table.build(plan, rows)
    formats.write(tables, folder / "tables")
    drawn = [
        f'<figure><img src="{figures.uri(figure)}" alt="{html.escape(caption)}" loading="lazy">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, figure in figures.build(plan, rows, tables, root, folder)
    ]
    body = f"""<h2 id="tables">Tables</h2>
{"".join(f'<div class="wide">{formats.as_html(one)}</div>' for one in tables)}
{_viewer(rows, folder)}
<h2 id="figures">Figures</h2>
{"".join(drawn)}
<h2 id="made">How this was made</h2>
<p>{html.escape(_versions(rows))}</p>
<details><summary>The plan, with every default</summary>
<pre class="wide">{html.escape(json.dumps(plan.dump(), indent=1))}</pre></details>"""
    path = folder / "report.html"
    output.write(path, page(plan.title, html.escape(plan.about), body))
    return path


def _viewer(rows: Rows, folder: Path) -> str:
    """The swipe, with every picture that was kept; nothing where none was."""
    uris: dict[str, dict[str, str]] = defaultdict(dict)
    for method, result in rows:
        where = (result.data, result.image, result.protocol)
        name = ", ".join(where)
        if arrays := pictures.load(folder, result.key):
            if name not in uris:
                inputs = pictures.load(folder, pictures.source(*where))
                uris[name] |= {title: uri(Image.fromarray(picture)) for title, picture in inputs.items()}
            uris[name][method.label] = uri(Image.fromarray(arrays["picture"]))
    return viewer(uris)


def _versions(rows: Rows) -> str:
    """Versions and dates of the results."""
    results = [result for _, result in rows]
    versions = sorted({f"{k} {v}" for r in results for k, v in r.environment.items() if k != "time"})
    times = sorted(str(result.environment["time"]) for result in results if "time" in result.environment)
    span = f" between {times[0]} and {times[-1]}" if times else ""
    return f"{len(results)} results{span}: {', '.join(versions)}."
