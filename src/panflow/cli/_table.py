"""A table for the console, as CSV and as Markdown; what is best in a column is marked."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

Cell = str | float | None


@dataclass
class Table:
    """headers: of the columns; rows: text, numbers, None for nothing; best: (row, column) of the cells to mark."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    best: set[tuple[int, int]] = field(default_factory=set)

    def show(self) -> None:
        """On the console, the best in bold; as plain aligned text where the console has no styles."""
        from rich.console import Console
        from rich.table import Table as Rich
        from rich.text import Text

        table = Rich(box=None, pad_edge=False, header_style="dim")
        for i, header in enumerate(self.headers):
            numbers = any(isinstance(row[i], float) for row in self.rows)
            table.add_column(header, justify="right" if numbers else "left", no_wrap=True)
        console = Console(highlight=False)
        mark = "" if console.is_terminal else "*"
        for r, row in enumerate(self.rows):
            cells = [_text(cell) for cell in row]
            table.add_row(
                *(Text(c + mark, "bold") if (r, i) in self.best else Text(c) for i, c in enumerate(cells)),
            )
        if not console.is_terminal:
            console.width = 400  # a file or a pipe breaks no lines
        console.print(table)

    def markdown(self) -> str:
        lines = [self.headers, ["---"] * len(self.headers)]
        for r, row in enumerate(self.rows):
            lines.append([f"**{_text(c)}**" if (r, i) in self.best else _text(c) for i, c in enumerate(row)])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def csv(self) -> str:
        """Numbers in full precision."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.headers)
        writer.writerows([["" if cell is None else cell for cell in row] for row in self.rows])
        return text.getvalue()


def _text(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    if 0 < abs(cell) < 1e-3 or not isfinite(cell):
        return f"{cell:.2g}"
    return f"{cell:.4f}" if abs(cell) < 10 else f"{cell:.2f}"
