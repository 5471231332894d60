"""Whether a built site stands alone: python docs/site/check.py FOLDER. Every link, picture, script and anchor is there,
and nothing but links that a reader follows leads out of the folder."""

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}  # by the page itself


class Page(HTMLParser):
    """links: (tag, target) of a page; ids: its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        target = values.get(LOADED.get(tag, "href" if tag == "a" else ""), "")
        if target:
            self.links.append((tag, target))


@cache
def page(path: Path) -> Page:
    return Page(path)


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the pages of a folder, one line each."""
    for path in sorted(set(folder.rglob("*.html")) - set(folder.glob("_static/**/*"))):
        for tag, target in page(path).links:
            parts = urlsplit(target)
            if parts.scheme == "data" or (parts.scheme and tag == "a"):
                continue
            where = f"{path.relative_to(folder)}: {tag} {target}"
            if parts.scheme or parts.netloc:
                yield f"{where} is loaded from elsewhere"
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not file.exists():
                yield f"{where} leads nowhere"
            elif parts.fragment and file.suffix == ".html" and unquote(parts.fragment) not in page(file).ids:
                yield f"{where} has no such anchor"


def main() -> None:
    folder = Path(sys.argv[1])
    wrong = list(faults(folder))
    pages = sum(1 for _ in folder.rglob("*.html"))
    print("\n".join(wrong) or f"{pages} pages, every link leads somewhere: {folder}/index.html")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
