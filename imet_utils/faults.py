"""What is wrong with an input, told in one message."""

from collections.abc import Sequence

SHOWN = 10


def list_faults(faults: Sequence[str]) -> str:
    """Write one fault as it is, and several as a list: the first ten, and how many more.

    >>> print(list_faults(["line 2: no id"]))
    line 2: no id
    >>> print(list_faults(["line 2: no id", "line 7: no label"]))
    2 faults:
    - line 2: no id
    - line 7: no label
    """
    if len(faults) == 1:
        return faults[0]
    lines = [f"{len(faults):,} faults:", *(f"- {fault}" for fault in faults[:SHOWN])]
    return "\n".join(lines + [f"and {len(faults) - SHOWN:,} more"] * (len(faults) > SHOWN))
