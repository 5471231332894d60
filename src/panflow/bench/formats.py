"""Tables as Markdown, LaTeX, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Callable
from pathlib import Path

from panflow.bench.table import Cell, Head, Table
from panflow.files import output

NOTE = (
    "± over the images, or over the seeds where a row has several; "
    "≈: not significantly worse than the best (paired bootstrap over the images, 5 %)"
)
MATRIX = "in brackets: difference from the baseline; *: significant (paired bootstrap over the images, 5 %)"


def number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def text(cell: Cell, head: Head) -> str:
    """mean ± std, or mean (difference from the baseline)."""
    if not cell.values:
        return "–"
    printed = number(cell.mean, head.digits)
    if not math.isnan(cell.delta):
        return f"{printed} ({cell.delta:+.{head.digits}f}{'*' if cell.p < 0.05 else ''})"
    if head.better and not math.isnan(cell.std):
        printed += f"±{number(cell.std, head.digits)}"
    return printed + ("≈" if cell.same else "")


def published(cell: Cell, head: Head) -> str:
    """What the paper printed, and how far we are from it; "" where it has nothing."""
    if cell.paper is None:
        return ""
    mean, std, delta = cell.paper
    printed = number(mean, head.digits)
    printed += "" if math.isnan(std) else f"±{number(std, head.digits)}"
    printed += "" if math.isnan(delta) else f" ({delta:+.{head.digits}f})"
    return printed if not cell.values else f"{printed}; {cell.mean - mean:+.{head.digits}f}"


def markdown(table: Table) -> str:
    def cell(c: Cell, head: Head) -> str:
        printed = {1: "**{}**", 2: "<u>{}</u>"}.get(c.rank, "{}").format(text(c, head))
        return printed + (f"<br>[{beside}]" if (beside := published(c, head)) else "")

    lines = [f"### {table.title}", ""]
    lines += ["| " + " | ".join([table.corner, *(h.title + h.arrow for h in table.heads)]) + " |"]
    lines += ["|---" * (len(table.heads) + 1) + "|"]
    lines += [
        "| " + " | ".join([title, *(cell(c, h) for c, h in zip(cells, table.heads))]) + " |"
        for title, cells in table.rows
    ]
    return "\n".join([*lines, "", note(table), ""])


def note(table: Table) -> str:
    """What the marks mean, and whose numbers stand in brackets."""
    marks = MATRIX if any(not math.isnan(c.delta) for _, cells in table.rows for c in cells) else NOTE
    return marks + (
        f". Beside, in small or [ ]: published numbers and our difference ({table.note})" if table.note else ""
    )


def latex(table: Table) -> str:
    def plain(printed: str) -> str:
        for a, b in (("\\", r"\textbackslash "), ("_", r"\_"), ("%", r"\%"), ("&", r"\&"), ("±", r"$\pm$")):
            printed = printed.replace(a, b)
        for a, b in (("≈", r"$^\approx$"), ("↓", r"$\downarrow$"), ("↑", r"$\uparrow$"), ("λ", r"$\lambda$")):
            printed = printed.replace(a, b)
        return printed.replace("–", "--").replace("ρ", r"$\rho$")

    def cell(c: Cell, head: Head) -> str:
        printed = {1: r"\textbf{%s}", 2: r"\underline{%s}"}.get(c.rank, "%s") % plain(text(c, head))
        return printed + (rf" {{\scriptsize [{plain(beside)}]}}" if (beside := published(c, head)) else "")

    lines = [rf"% {table.title}", rf"\begin{{tabular}}{{l{'c' * len(table.heads)}}}", r"\toprule"]
    heads = [plain(table.corner), *(plain(h.title + h.arrow) for h in table.heads)]
    lines += [" & ".join(heads) + r" \\", r"\midrule"]
    lines += [
        " & ".join([plain(title), *(cell(c, h) for c, h in zip(cells, table.heads))]) + r" \\"
        for title, cells in table.rows
    ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def as_csv(table: Table) -> str:
    """Full precision: of each column mean, std, images, difference from the baseline, p, and the paper's mean."""
    kinds = ("", " std", " images", " delta", " p", " paper")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([table.corner, *(head.title + kind for head in table.heads for kind in kinds)])
    for title, cells in table.rows:
        row: list[str | float | int] = [title]
        for c in cells:
            paper = c.paper[0] if c.paper else math.nan
            row += [c.mean, c.std, len(c.values), c.delta, c.p, paper]
        writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in row])
    return file.getvalue()


def as_html(table: Table) -> str:
    def cell(c: Cell, head: Head) -> str:
        kind = {1: "best", 2: "second"}.get(c.rank, "")
        if not math.isnan(c.delta) and head.better:
            kind = "good" if head.shortfall(c.mean) < head.shortfall(c.mean - c.delta) else "bad"
        beside = published(c, head)
        small = f"<small>{html.escape(beside)}</small>" if beside else ""
        return f'<td class="{kind}">{html.escape(text(c, head))}{small}</td>'

    heads = "".join(f'<th scope="col">{html.escape(h.title + h.arrow)}</th>' for h in table.heads)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(title)}</th>{"".join(cell(c, h) for c, h in zip(cells, table.heads))}</tr>\n'
        for title, cells in table.rows
    )
    caption = f"<caption>{html.escape(table.title)}</caption>"
    top = f'<thead><tr><th scope="col">{html.escape(table.corner)}</th>{heads}</tr></thead>'
    return f"<table>{caption}{top}\n<tbody>{rows}</tbody></table><p class=note>{html.escape(note(table))}</p>"


FORMATS: dict[str, Callable[[Table], str]] = {"md": markdown, "tex": latex, "csv": as_csv, "html": as_html}


def write(tables: list[Table], folder: Path) -> None:
    """NUMBER.FORMAT of every table, and nothing else of these formats."""
    output.folder(folder)
    for old in (path for ending in FORMATS for path in folder.glob(f"*.{ending}")):
        old.unlink()
    for place, table in enumerate(tables, 1):
        for ending, convert in FORMATS.items():
            output.write(folder / f"{place:02d}.{ending}", convert(table))
