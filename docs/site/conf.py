"""The site: `make docs`. Pages are plain Markdown that reads as well on a forge; what the site adds to them is here.

Sources are the whole repository, so that links between pages, README and files are the same here and there. Pages of
an index list what it links to, blocks of code of a tutorial are run, and the reference is made from the code.
"""

import os
import re
import sys
from pathlib import Path

from docutils import nodes

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # tutorials call `panflow`
os.environ["COLUMNS"] = "100"

import pages  # noqa: E402
import reference  # noqa: E402

from panflow import __version__  # noqa: E402

project = author = "panflow"
release = version = __version__
project_copyright = "the panflow maintainers"
extensions = ["myst_nb", "sphinx_click"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "build", "dist", "demo", "src", "tests", "benchmarks", "integrations", "runs"]

myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_execution_in_temp = nb_merge_streams = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900
suppress_warnings = ["myst.header", "misc.highlighting_failure"]  # headings that skip a level; shells that are no sh

html_theme = "pydata_sphinx_theme"
html_title = f"panflow {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "panflow"},
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "back_to_top_button": False,
}
man_pages = [("docs/reference/commands", "panflow", "pansharpening of satellite scenes", [author], 1)]


def read(_app, docname: str, source: list[str]) -> None:
    """A page as Sphinx should read it."""
    if docname.endswith("README"):
        source[0] += pages.contents(docname, source[0])
    elif docname.startswith("docs/tutorials/"):
        source[0] = pages.notebook(source[0])
    elif docname.startswith("docs/reference/"):
        source[0] = reference.filled(source[0])


def show_commands(_app, doctree: nodes.document) -> None:
    """Cells that a shell has run look like a shell's."""
    for block in doctree.findall(nodes.literal_block):
        text = block.astext()
        if text.startswith(pages.SHELL[0]):
            text = text.removeprefix(pages.SHELL[0]).removesuffix(pages.SHELL[1])
            block.rawsource, block.children, block["language"] = text, [], "sh"
            block += nodes.Text(text)


def plain_stars(_app, _context, lines: list[str]) -> None:
    """Help of a command is no markup: a star in it is a star."""
    lines[:] = [re.sub(r"(?<!\*)\*(?!\*)", r"\\*", line) for line in lines]


def begin_at_index(app, error: Exception | None) -> None:
    """The first page also has the name that browsers ask for."""
    first = Path(app.outdir, f"{root_doc}.html")
    if not error and first.exists():
        first.with_name("index.html").write_bytes(first.read_bytes())


def setup(app) -> None:
    app.connect("source-read", read)
    for part in ("description", "options", "arguments"):
        app.connect(f"sphinx-click-process-{part}", plain_stars)
    app.connect("doctree-read", show_commands)
    app.connect("build-finished", begin_at_index)
