"""Counts of the code itself: how it is to read, and how its parts hang together.

    python benchmarks/house.py SRC [SRC ...]

SRC: folders that hold panflow/, as `src` of two checkouts; one column each. Of the .py files below: probes are calls of
getattr and hasattr; words are counted by lines of code and docstrings in which they stand alone or between underscores
(not in comments and messages); edges of the import graph join modules of panflow, wherever in a file one imports the
other; depth is the longest way along them.
"""

import argparse
import ast
import re
import statistics
from graphlib import CycleError, TopologicalSorter
from io import StringIO
from pathlib import Path
from token import NAME
from tokenize import generate_tokens

WORDS = ("found", "told", "known", "made", "shown", "own")
USED = re.compile(rf"(?<![^\W_])({'|'.join(WORDS)})(?![^\W_])")


def docstring_lines(tree: ast.AST) -> set[int]:
    """Numbers of the lines of strings that are statements."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def is_probe(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr")


class House:
    """The modules of a folder."""

    def __init__(self, source: Path):
        self.texts = {path: path.read_text(encoding="utf-8") for path in sorted((source / "panflow").rglob("*.py"))}
        self.trees = {path: ast.parse(text) for path, text in self.texts.items()}
        names = {path: ".".join(path.relative_to(source).with_suffix("").parts) for path in self.texts}
        self.names = {path: name.removesuffix(".__init__") for path, name in names.items()}

    def probes(self) -> dict[str, int]:
        """Calls of getattr and hasattr by file."""
        calls = {path: sum(map(is_probe, ast.walk(tree))) for path, tree in self.trees.items()}
        return {self.names[path]: count for path, count in calls.items() if count and path.name != "types.py"}

    def words(self) -> dict[str, int]:
        """Lines that use them, by file."""
        lines = {path: len(self._lines(path)) for path in self.texts}
        return {self.names[path]: count for path, count in lines.items() if count}

    def _lines(self, path: Path) -> set[int]:
        text, docstrings = self.texts[path].splitlines(), docstring_lines(self.trees[path])
        tokens = generate_tokens(StringIO(self.texts[path]).readline)
        code = {token.start[0] for token in tokens if token.type == NAME and USED.search(token.string)}
        return code | {number for number in docstrings if USED.search(text[number - 1])}

    def widest(self) -> list[tuple[int, str]]:
        """(parameters, function), the widest first; self and cls do not count."""
        found = []
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                    count = sum(argument.arg not in ("self", "cls") for argument in arguments)
                    found.append((count, f"{self.names[path].removeprefix('panflow.')}.{node.name}"))
        return sorted(found, reverse=True)

    def code_lines(self) -> list[int]:
        """Characters of the lines that hold code: no empty ones, comments or docstrings; without their indent."""
        lengths = []
        for path, tree in self.trees.items():
            docstrings = docstring_lines(tree)
            lines = {number: line.strip() for number, line in enumerate(self.texts[path].splitlines(), 1)}
            lengths += [len(line) for k, line in lines.items() if line and line[0] != "#" and k not in docstrings]
        return lengths

    def graph(self) -> dict[str, set[str]]:
        """What each module imports of the others."""
        known = set(self.names.values())
        graph = {}
        for path, tree in self.trees.items():
            wanted: set[str] = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    wanted |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    wanted |= {f"{node.module}.{alias.name}" for alias in node.names}
            nearest = {name if name in known else name.rpartition(".")[0] for name in wanted}
            graph[self.names[path]] = nearest & known - {self.names[path]}
        return graph

    def depth(self) -> int:
        """Modules on the longest way of imports; where they meet in a loop, one of its edges is left out."""
        graph = {name: set(others) for name, others in self.graph().items()}
        while True:
            try:
                order = list(TopologicalSorter(graph).static_order())
                break
            except CycleError as error:
                loop = error.args[1]
                graph[loop[1]].discard(loop[0])
        depths: dict[str, int] = {}
        for name in order:
            depths[name] = 1 + max((depths[other] for other in graph[name]), default=0)
        return max(depths.values())


def table(houses: dict[str, House]) -> None:
    rows = {
        "getattr and hasattr outside of types.py": lambda h: sum(h.probes().values()),
        f"lines with {', '.join(WORDS)}": lambda h: sum(h.words().values()),
        "parameters of the ten widest functions": lambda h: " ".join(str(count) for count, _ in h.widest()[:10]),
        "characters a code line, mean": lambda h: f"{statistics.fmean(h.code_lines()):.1f}",
        "code lines": lambda h: len(h.code_lines()),
        "modules": lambda h: len(h.texts),
        "edges of the import graph": lambda h: sum(map(len, h.graph().values())),
        "depth of the import graph": lambda h: h.depth(),
    }
    print(f"| | {' | '.join(houses)} |\n|{' --- |' * (len(houses) + 1)}")
    for title, count in rows.items():
        print(f"| {title} | {' | '.join(str(count(house)) for house in houses.values())} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, nargs="+", metavar="SRC")
    options = parser.parse_args()
    houses = {str(source): House(source) for source in options.sources}
    table(houses)
    for source, house in houses.items():
        print(f"\n{source}: widest {', '.join(f'{name} {count}' for count, name in house.widest()[:10])}")
        print(f"probes {house.probes()}")
        worst = sorted(house.words().items(), key=lambda item: -item[1])[:12]
        print(f"words {dict(worst)}")


if __name__ == "__main__":
    main()
