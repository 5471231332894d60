"""Makes the tables of a page of docs/evidence anew.

    python benchmarks/evidence.py docs/evidence/methods.md --data DIR

What a script printed stands between a line "Made by `command`, date (commit)." and a comment <!-- end -->. The command
is run, with DATA replaced by the folder of the images and TMP by an empty one, and what it prints takes that place.
Tables "Condensed from" runs that take hours stay as they are.
"""

import argparse
import datetime
import re
import subprocess
import sys
import tempfile
from pathlib import Path

OUTPUT = re.compile(r"^Made by `([^`]+)`, \S+ \(\w+\)\.\n(?:(?!^Made by ).*\n)*?<!-- end -->$", re.MULTILINE)


def printed(command: str, data: str) -> str:
    """What the command prints."""
    with tempfile.TemporaryDirectory() as folder:
        words = [word.replace("DATA", data).replace("TMP", folder) for word in command.split()]
        done = subprocess.run([sys.executable, *words[1:]], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--data", default="../shared/data")
    options = parser.parse_args()
    commit = subprocess.check_output(["git", "merge-base", "HEAD", "main"], text=True)[:7]

    def anew(output: re.Match) -> str:
        command = output[1]
        print(command, flush=True)
        made = f"Made by `{command}`, {datetime.date.today()} ({commit})."
        return f"{made}\n\n{printed(command, options.data)}\n\n<!-- end -->"

    options.page.write_text(OUTPUT.sub(anew, options.page.read_text()))


if __name__ == "__main__":
    main()
