"""How a cost grows with the number of images: measured, and reckoned for more of them."""

from collections.abc import Mapping
from math import log


def exponent(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return k of cost = c * size^k through two points (size, cost).

    >>> exponent((10, 3.0), (100, 300.0))
    2.0
    """
    return log(second[1] / first[1]) / log(second[0] / first[0])


def reckon(first: tuple[float, float], second: tuple[float, float], size: float) -> float:
    """Extend a cost to a larger size: by a line or by a power law, whichever gives more.

    A line stands for a fixed part and a part for each image, a power law for what grows faster.
    What fell from the first size to the second, which is noise, stays as it is.

    Args:
        first: size and cost.
        second: likewise, of a larger size.
        size: larger still.

    >>> reckon((10, 5.0), (20, 6.0), 100)  # 4 and 0.1 each
    14.0
    """
    slope = (second[1] - first[1]) / (second[0] - first[0])
    line = second[1] + slope * (size - second[0])
    power = second[1] * (size / second[0]) ** exponent(first, second)
    return max(line, power, second[1])


def format_growth(costs: Mapping[int, Mapping[str, float]], whole: int) -> str:
    """Write a table: a row a step, a column a size, the exponent, and the cost at `whole`.

    Args:
        costs: positive costs by step, by number of images; two sizes or more.
        whole: number of images to reckon for, where no cost was measured at that size.
    """
    sizes = sorted(costs)
    marked = [] if whole in costs else [f"{whole:,} (reckoned)"]
    headings = ["Step", *(f"{size:,} images" for size in sizes), *marked, "Exponent"]
    lines = [f"| {' | '.join(headings)} |", "| --- " * len(headings) + "|"]
    for step in costs[sizes[0]]:
        values = [costs[size][step] for size in sizes]
        first, second = zip(sizes[-2:], values[-2:], strict=True)
        values += [reckon(first, second, whole) for _ in marked]
        cells = [*(format_cost(value) for value in values), f"{exponent(first, second):.2f}"]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def format_cost(value: float) -> str:
    """Write a cost with as many digits as it can bear."""
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
