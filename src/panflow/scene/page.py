"""The report of a run as one HTML file: verdict, numbers, bands, a swipe between PAN, MS and the result, the record."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from math import nan
from pathlib import Path

from panflow.files.output import Output
from panflow.pictures.page import page, uri, viewer
from panflow.scene.quicklook import COLUMNS, panels_of_files
from panflow.scene.report import Report

MEASURED = {  # of ops.agreement.Agreement
    "detail": "of PAN's detail is a mix of the bands (R2)",
    "level": "of PAN's brightness is a mix of the bands (R2)",
    "bent": "of the rest is a curve of that mix: stretched or saturated images have more",
    "finest": "is the power of MS at its finest beside that of the next octave: resampled MS has less",
    "repeated": "of MS pixels are copies of a neighbour",
    "pan_at_limit": "of PAN pixels lie at their highest value",
    "ms_at_limit": "of MS pixels lie at their highest value",
}


def write(report: Report, pan: str, ms: Sequence[str], out: Output) -> None:
    """The page of a run whose result is written; PAN and MS: as it was called with. Raises as `quicklook_file`."""
    panels = panels_of_files(report.output, pan, ms, shift=report.corrected_shift, part=report.part)
    names = [*COLUMNS[:2], f"fused, {report.method}"]
    pictures = {title: dict(zip(names, map(uri, row))) for title, row in panels}
    body = f"""<h2>Verdict</h2>
<p class="verdict {report.verdict}">{report.verdict}</p>
{_list(report.reasons) or "<p>Nothing speaks against it.</p>"}
{viewer(pictures)}
<h2>The run</h2>
{_table((), report.lines())}
<h2>PAN and MS</h2>
{_table((), ((_number(report.agreement.get(key)), text) for key, text in MEASURED.items()))}
<h2>Bands</h2>
{_table(("band", "weight in PAN", "injectability", "MTF gain", "offset beside the others, PAN pixels"), _bands(report))}
<h2>Notes</h2>
{_list(report.warnings) or "<p>None.</p>"}
<h2>Record</h2>
<details><summary>Everything that was measured, as JSON</summary>
<pre class="wide">{html.escape(json.dumps(report.as_dict(), indent=1))}</pre></details>"""
    about = html.escape(f"{report.method} on {Path(pan).name} and {', '.join(Path(m).name for m in ms)}")
    out.write(page(f"{Path(report.output).name}, sharpened", about, body).encode())


def _bands(report: Report) -> Iterable[tuple[str, ...]]:
    columns = report.agreement.get("weights", ()), report.agreement.get("injectability", ()), report.mtf_gains
    shifts = report.band_shifts
    for k, name in enumerate(report.bands):
        numbers = (_number(values[k] if k < len(values) else nan) for values in columns)
        yield name, *numbers, ", ".join(f"{v:+.2f}" for v in shifts[k]) if k < len(shifts) else ""


def _number(value: float | None) -> str:
    return "not measured" if value is None or value != value else f"{value:.3f}"


def _list(texts: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>" if texts else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in heads)
    lines = (
        f'<tr><th scope="row">{html.escape(first)}</th>'
        + "".join(f'<td class="text">{html.escape(one)}</td>' for one in others)
        + "</tr>"
        for first, *others in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
