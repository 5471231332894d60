"""The command `panflow`, also `python -m panflow`."""

import _signal as signal  # the inside of `signal`, at once there: until a command listens, ^C ends it without a word

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run a command."""
    from panflow.cli import _stops, run

    debug = "--debug" in sys.argv
    if not debug:  # GDAL's messages may hold bytes that are no text, which rasterio prints the exceptions of
        sys.excepthook = lambda kind, *rest: None if kind is UnicodeDecodeError else sys.__excepthook__(kind, *rest)
        sys.unraisablehook = lambda e: None if e.exc_type is UnicodeDecodeError else sys.__unraisablehook__(e)
    _stops.listen(130)
    code = run([a for a in sys.argv[1:] if a != "--debug"], debug)
    _stops.deafen()
    sys.exit(code)


if __name__ == "__main__":
    main()
