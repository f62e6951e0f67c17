"""What collections of several sizes take, reckoned from measured figures."""

COLLECTIONS = {"109,200": 109_200, "10 million": 10**7, "1 billion": 10**9}
VIEWS, BYTES = 6, 2  # six views, float16
LABELS = 3.17 * 4  # bytes an image: labels of an image of iMet 2019, each an int32
DOLLARS_AN_HOUR, DOLLARS_A_TERABYTE = 0.04, 20  # a core for an hour, object storage for a month


def format_scale(seconds: float, file_bytes: float, map_size: int, vector_size: int) -> str:
    """Write a table of cores, storage and money for each of the `COLLECTIONS`.

    Args:
        seconds: of one core for the features of an image.
        file_bytes: of an image file.
        map_size: numbers of the maps of a view.
        vector_size: numbers of its pooled features and its style.
    """
    vectors = VIEWS * vector_size * BYTES
    maps = VIEWS * map_size * BYTES
    headings = ("Images", "Core hours", "$ for cores", "Files (TB)", "Maps (TB)")
    headings += ("Pooled and style (TB)", "Labels (GB)", "$ a month for files and vectors")
    lines = [f"| {' | '.join(headings)} |", "| --- " * len(headings) + "|"]
    for name, number in COLLECTIONS.items():
        hours = number * seconds / 3600
        stored = [number * size / 1e12 for size in (file_bytes, maps, vectors)]
        dollars = hours * DOLLARS_AN_HOUR, (stored[0] + stored[2]) * DOLLARS_A_TERABYTE
        cells = [f"{hours:,.0f}", f"{dollars[0]:,.0f}", *(f"{size:,.2f}" for size in stored)]
        cells += [f"{number * LABELS / 1e9:,.3f}", f"{dollars[1]:,.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
