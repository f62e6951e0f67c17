"""What all commands of `run_all.sh` share: printing in any locale, and Ctrl-C in one line."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn


def run_command(main: Callable[[Sequence[str]], int], advice: str) -> NoReturn:
    """Run a command on `sys.argv` and exit with its code, or with 130 and advice after Ctrl-C.

    SIGTERM, as of a scheduler, is like Ctrl-C. What a Latin-1 console cannot show is escaped.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as of `nohup`
            signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stdout.flush()
        sys.stderr.write(f"\nrun_all.sh: interrupted; {advice}\n")
        sys.stderr.flush()
        os._exit(130)  # at once: what is left of a notebook's client would complain


def _interrupt(*_: object) -> NoReturn:
    """Kill kernels and other children, which would print tracebacks, and stop what is at work."""
    import psutil  # here, since --help needs no package

    logging.getLogger("asyncio").disabled = True
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    raise KeyboardInterrupt
