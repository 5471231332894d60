"""`python -m panflow`: the command, where its script is not on the path."""

from panflow.cli import main

main()
