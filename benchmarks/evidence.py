"""Renders the tables of docs/evidence from the lines of docs/evidence/results.jsonl, or measures them anew.

    python benchmarks/evidence.py                                           # render: nothing in a table is typed
    python benchmarks/evidence.py --run docs/evidence/methods.md --data DIR  # measure; without pages: all of them

A line holds a command, the date, the commit of the code and what was printed. On a page that stands between "Made by
`command`, date (commit)." and a comment <!-- end -->; the last line of a command counts. To measure, the command is
run, with DATA replaced by the folder of the images and TMP by an empty one. Tables "Condensed from" runs of hours are
not of this kind yet, and stay as they are.
"""

import argparse
import datetime
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

EVIDENCE = Path(__file__).parents[1] / "docs" / "evidence"
RESULTS = EVIDENCE / "results.jsonl"
OUTPUT = re.compile(r"^Made by `([^`]+)`, \S+ \(\w+\)\.\n(?:(?!^Made by ).*\n)*?<!-- end -->$", re.MULTILINE)


def results() -> dict[str, dict[str, str]]:
    """By command, its last line."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    return {line["command"]: line for line in map(json.loads, lines)}


def rendered(text: str, lines: dict[str, dict[str, str]]) -> str:
    """A page with what the lines of its commands say; blocks of commands without a line stay."""

    def block(output: re.Match) -> str:
        if (line := lines.get(output[1])) is None:
            return output[0]
        return "Made by `{command}`, {date} ({commit}).\n\n{printed}\n\n<!-- end -->".format(**line)

    return OUTPUT.sub(block, text)


def measured(command: str, data: str) -> dict[str, str]:
    """The line of a command that is run now."""
    commit = subprocess.check_output(["git", "merge-base", "HEAD", "main"], text=True)[:7]
    with tempfile.TemporaryDirectory() as folder:
        words = [word.replace("DATA", data).replace("TMP", folder) for word in command.split()]
        done = subprocess.run([sys.executable, *words[1:]], stdout=subprocess.PIPE, text=True, check=True)
    return {
        "command": command,
        "date": str(datetime.date.today()),
        "commit": commit,
        "printed": done.stdout.strip(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="*", default=sorted(EVIDENCE.glob("*.md")))
    parser.add_argument("--run", action="store_true", help="measure anew")
    parser.add_argument("--data", default="../shared/data")
    options = parser.parse_args()
    for page in options.pages if options.run else []:
        for command in OUTPUT.findall(page.read_text(encoding="utf-8")):
            print(command, flush=True)
            line = json.dumps(measured(command, options.data), ensure_ascii=False)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
    lines = results()
    for page in options.pages:
        page.write_text(rendered(page.read_text(encoding="utf-8"), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
