"""What the site reads out of plain Markdown: the pages of an index, the blocks of a tutorial that are run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import dirname, join

SECTIONS = ("tutorials", "use", "reference", "extend", "evidence", "decisions")
REST = ("docs/README", "DESIGN", "CONTRIBUTING", "CHANGELOG", "SECURITY")
SHELL = "run(r'''", "''')"  # around what a shell runs, in a notebook
BLOCK = re.compile(
    r"^(?:<!-- needs: (?P<needs>[^>]+?) -->\n+)?"
    r"(?:```(?P<language>sh|python)\n(?P<fenced>.*?)^```$|(?P<indented>(?:^ {4}.*\n(?:\n(?= {4}))?)+))",
    re.M | re.S,
)
PICTURE = re.compile(r"^<!-- picture: (\S+) (.+?) -->$", re.M)
HEADER = """\
---
file_format: mystnb
kernelspec:
  name: python3
  display_name: Python 3
---

```{code-cell} ipython3
:tags: [remove-cell]
import os
import subprocess


def run(code):  # what a shell says comes in one piece, and without the colours that Jupyter asks for
    plain = {name: value for name, value in os.environ.items() if "COLOR" not in name} | {"TERM": "dumb"}
    done = subprocess.run(["bash", "-ec", code], stdout=-1, stderr=subprocess.STDOUT, text=True, env=plain)
    print(done.stdout, end="")
    done.check_returncode()
```

"""


@dataclass(frozen=True)
class Block:
    """A block of code. language: "sh" or "python"; needs: what must be at hand to run it, "" for nothing."""

    language: str
    code: str
    needs: str = ""


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page that can be run, from top to bottom: fences of sh and python, and indented ones (sh)."""
    for match in BLOCK.finditer(text):
        code = match["fenced"] or re.sub(r"^ {4}", "", match["indented"], flags=re.M)
        yield Block(match["language"] or "sh", code, match["needs"] or "")


def notebook(text: str) -> str:
    """A tutorial as a notebook of MyST: its fences become cells, but for those that need what is not at hand."""

    def cell(match: re.Match) -> str:
        if match["needs"]:
            return f"*Not run here: it needs {match['needs']}.*\n\n```sh\n{match['fenced']}```"
        if match["indented"]:
            return match[0]
        code = match["fenced"].rstrip()
        if match["language"] == "sh":
            code = code.join(SHELL)
        return f"```{{code-cell}} ipython3\n{code}\n```"

    def picture(match: re.Match) -> str:
        options = f':tags: [remove-input]\n:mystnb: {{"image": {{"alt": "{match[2]}"}}}}\n'
        return f'```{{code-cell}} ipython3\n{options}from IPython.display import Image\n\nImage("{match[1]}")\n```'

    return HEADER + PICTURE.sub(picture, BLOCK.sub(cell, text))


def contents(docname: str, text: str) -> str:
    """A table of contents that only navigation shows: what the index links to in its folder, in that order."""
    if docname == "README":
        listed = [*(f"docs/{section}/README" for section in SECTIONS), *REST]
    else:
        listed = [join(dirname(docname), page) for page in re.findall(r"\]\(([\w-]+)\.md(?:#[\w-]+)?\)", text)]
    lines = "\n".join(f"/{page}" for page in dict.fromkeys(listed))
    return f"\n\n```{{toctree}}\n:hidden:\n\n{lines}\n```\n" if lines else ""
