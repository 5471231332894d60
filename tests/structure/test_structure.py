"""The shape of the project: layers, citations, what commands import, names of tests."""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from panflow.registry import KINDS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/panflow"
LAYERS = [  # a module may import only from rows above its own
    ("types", "errors"),
    ("registry", "arrays"),
    ("sensors", "ops", "settings"),
    ("pairs",),
    ("files",),
    ("pictures",),
    ("methods", "transforms", "networks", "indices", "generative"),
    ("objectives",),
    ("learned",),
    ("zoo", "assessment"),
    ("data",),
    ("scene", "training"),
    ("archive", "tiles", "xarray"),
    ("api",),
    ("bench",),
    ("cli",),
    ("__main__",),
]
ROW = {name: row for row, names in enumerate(LAYERS) for name in names}
# Neither imports the other
WINGS = {"using": {"api", "scene", "archive", "tiles", "xarray"}, "making": {"data", "training"}}
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


@cache
def tree(module: Path) -> ast.Module:
    return ast.parse((SOURCE / module).read_text(encoding="utf-8"))


def part_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def imported(module: Path) -> set[str]:
    """The parts of panflow that a module imports anywhere, in functions too."""
    found = set()
    for node in ast.walk(tree(module)):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: expected absolute imports"
            names = [f"panflow.{name}" for name in names] if node.module == "panflow" else [node.module]
        found |= {name.split(".")[1] for name in names if name.startswith("panflow.")}
    return found - {"__version__", part_of(module)}


@pytest.mark.parametrize("module", [m for m in MODULES if m != Path("__init__.py")], ids=str)
def test_imports_run_one_way(module):
    assert part_of(module) in ROW, f"give {part_of(module)} a row in LAYERS"
    for other in imported(module):
        assert ROW[other] < ROW[part_of(module)], f"{module} imports {other}, which is not above it"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_wings_do_not_meet(module):
    """What makes sharpeners and what uses them know nothing of each other."""
    for name, wing in WINGS.items():
        if part_of(module) in wing:
            others = set().union(*(parts for other, parts in WINGS.items() if other != name))
            assert not imported(module) & others, f"{module} of the {name} wing imports the other wing"


def test_design_has_the_layers_of_the_structure_test():
    text = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    block = re.search(r"^## Layers\n\n[^\n]*\n\n((?:    [^\n]*\n)+)", text, re.M)
    assert block
    rows = [re.findall(r"[a-z]+(?=,|\s|$)", re.sub(r"\(.*|\w+:", "", line)) for line in block[1].splitlines()]
    assert {name for row in rows for name in row} == ROW.keys() - {"__main__"}
    places = [[ROW[name] for name in row] for row in rows]
    assert all(max(above) < min(below) for above, below in pairwise(places))


UNIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_can_be_imported_anywhere(module):
    """What only Unix has is imported where it is used, and where its absence is expected."""
    expected = {
        id(node)
        for attempt in ast.walk(tree(module))
        if isinstance(attempt, ast.Try)
        and any("ImportError" in ast.unparse(h.type or attempt) for h in attempt.handlers)
        for statement in attempt.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree(module)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if UNIX_ONLY & {name.partition(".")[0] for name in names}:
            assert id(node) in expected, f"{module}, line {node.lineno}: only Unix has this"


def test_no_layer_is_of_nothing():
    assert ROW.keys() == {part_of(module) for module in MODULES} - {"__init__"}


def imported_by(arguments: list[str], before: str = "", folder: Path | None = None) -> set[str]:
    """What a command imports, by the names of packages."""
    code = (
        f"import sys\n{before}\nfrom panflow.cli import main\n"
        f"sys.argv = ['panflow', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


EXTRAS = {
    "torch",
    "safetensors",
    "h5py",
    "tensorboard",
    "onnx",
    "openvino",
    "matplotlib",
    "numba",
    "xarray",
    "dask",
    "rio_tiler",
}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["names"], ["names", "methods"], ["sharpen", "--help"]], ids=" ".join
)
def test_listing_imports_no_torch(arguments):
    assert not imported_by(arguments) & {*EXTRAS, "onnxruntime"}


WITHOUT_TORCH = (  # as importlib sees it where torch is not installed
    "from importlib import util\nfind = util.find_spec\n"
    "util.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)"
)


def test_the_default_imports_nothing_of_an_extra(tmp_path):
    """In the base install and, where ONNX Runtime is asked for, with torch beside it."""
    assert not imported_by(["synthesize", ".", "--size", "64"], folder=tmp_path) & EXTRAS
    sharpen = ["sharpen", "pan.tif", "ms.tif", "out.tif", "--quiet", "--overwrite"]
    for arguments, before in ((sharpen, WITHOUT_TORCH), ([*sharpen, "--runtime", "onnx"], "")):
        modules = imported_by(arguments, before, tmp_path)
        assert "onnxruntime" in modules and not modules & EXTRAS
    assert not imported_by([*sharpen, "--method", "gsa"], folder=tmp_path) & {*EXTRAS, "onnxruntime"}


def test_public_names_are_there():
    import panflow

    for name in panflow.__all__:
        assert getattr(panflow, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        panflow.nonsense  # noqa: B018


def test_every_kind_has_its_conformance_test():
    """It runs over a new file the moment that exists."""
    for kind in KINDS:
        text = (ROOT / f"tests/conformance/test_{kind}.py").read_text(encoding="utf-8")
        assert f'registry.names("{kind}")' in text, kind


def test_no_default_points_outside_of_the_project():
    """Folders of images come by --data; images that may not be passed on have no place here."""
    files = [path for kind in ("*.py", "*.toml") for path in SOURCE.rglob(kind)]
    assert [path.name for path in files if re.search(r"restricted/|[\"']\.\./", path.read_text(encoding="utf-8"))] == []


def entries() -> list[str]:
    return re.findall(r"^@\w+\{([^,\s]+)\s*,", (ROOT / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)


KEY = r"[a-z]+\d{4}[a-z]?"


def cited(path: Path) -> set[str]:
    """Keys such as [wald1997] in a file's docstrings and comments, and those that methods state."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(rf"\[({KEY})[\],;]", text)) | set(re.findall(r'citation: ClassVar\[str\] = "(\w+)"', text))


def test_every_citation_has_an_entry():
    known = set(entries())
    files = [path for kind in ("*.py", "*.toml") for path in SOURCE.rglob(kind)]
    keys = {key: path.name for path in files for key in cited(path)}
    assert len(keys) > 30
    assert {key: name for key, name in keys.items() if key not in known} == {}


def test_every_entry_is_there_once():
    assert [key for key, count in Counter(entries()).items() if count > 1] == []


def test_test_modules_do_not_clash():
    """Test folders are no packages: modules of one name would be taken for each other."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    loose = [folder for folder in folders if not (folder / "__init__.py").exists()]
    names = Counter(path.name for folder in loose for path in folder.glob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []
    assert not set(names) & {f"{name}.py" for name in sys.stdlib_module_names}
