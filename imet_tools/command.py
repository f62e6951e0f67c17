"""What the commands of `run_all.sh` share: printing, Ctrl-C in one line, the lock of a folder."""

import errno
import logging
import os
import runpy
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL)  # of flock


class FolderInUse(ValueError):
    """Another process has the lock of a folder."""


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


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which the system releases however the process ends.

    A FolderInUse if another process holds it. Some shared file systems have no locks: there a
    sentence asks for care instead.
    """
    from filelock import FileLock, Timeout  # here, since --help needs no package

    lock = FileLock(folder / ".lock")
    try:
        with warnings.catch_warnings(action="ignore"):  # that a file takes the place of the lock
            lock.acquire(timeout=0)
    except Timeout:
        raise FolderInUse(f"{folder} is in use by another run. Wait for its end") from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        sys.stderr.write(f"{folder}: no locks here, so let no other run write to it meanwhile.\n")
    try:
        yield
    finally:
        lock.release()


def _run_module(arguments: Sequence[str]) -> int:
    """Run a module as `python -m` does, which is under way while it still imports packages."""
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    run_command(_run_module, "nothing was written.")
