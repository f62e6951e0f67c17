"""The tables of `bench_extraction.py`."""

from collections.abc import Mapping


def format_rates(times: Mapping[str, float], whole: str, number: int) -> str:
    """Write images a second of each way, and their share of those of the way `whole`.

    Args:
        times: seconds for all images.
        whole: what the shares are of.
        number: of images.
    """
    lines = ["| Way | Images a second | Share of the encoder alone |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {number / spent:,.1f} | {times[whole] / spent:.0%} |"
        for name, spent in times.items()
    ]
    return "\n".join(lines)


def format_parts(times: Mapping[str, float], number: int) -> str:
    """Write milliseconds an image of each part."""
    lines = ["| Part, six views an image | Milliseconds an image |", "| --- | --- |"]
    lines += [f"| {name} | {1000 * spent / number:,.2f} |" for name, spent in times.items()]
    return "\n".join(lines)


def format_limit(seconds: float, cores: int) -> str:
    """Say what cores that take `seconds` for their part of an image can feed."""
    views = 6 * cores / seconds
    return (
        f"One core prepares {1 / seconds:,.0f} images a second. {cores} cores would prepare "
        f"{views:,.0f} views a second at the most (reckoned): an accelerator that encodes more "
        "than that waits for them, whatever its own speed."
    )
