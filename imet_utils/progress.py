"""Progress of a loop, the same for people at a screen and for logs, and for a tracker."""

import os
import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def say(text: str) -> None:
    """Write a line to standard output at once, also where it goes through a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def progress(
    iterable: Iterable[Item],
    description: str,
    total: int | None = None,
    unit: str = "it",
    initial: int = 0,
) -> "tqdm[Item]":
    """Iterate over `iterable` and show on standard output how far it is.

    Of several processes only the first one shows it, and nothing is shown where an earlier run has
    done it all. tqdm's own environment variables, such as `TQDM_MININTERVAL`, set how often and in
    which form. `total` is for what has no length, `initial` how many of it an earlier run has done.
    """
    return tqdm(
        iterable,
        description,
        total,
        unit=unit,
        initial=initial,
        file=sys.stdout,
        disable=os.environ.get("RANK", "0") != "0" or initial == total,
    )


def find_tracker() -> str | None:
    """Return the experiment tracker that the environment variable `TRACKER` names, None for none.

    Any of accelerate's, such as `tensorboard`, `wandb` or `mlflow`, each set up by its own
    environment variables.

    Raises:
        ValueError: if it is not installed.
    """
    tracker = os.environ.get("TRACKER")
    if not tracker:
        return None
    from accelerate.tracking import get_available_trackers  # here, as it takes a second to import

    installed = [str(name) for name in get_available_trackers()]
    if tracker not in installed:
        there = ", ".join(installed) or "none"
        raise ValueError(f"TRACKER is {tracker!r}; of accelerate's trackers {there} is installed")
    return tracker
