"""Time the search for neighbours among up to a million labelled images.

    python benchmarks/bench_neighbours.py --output DIR [--sizes 10000 100000 1000000] [--page]

The exact search of `imet_utils` beside faiss (`pip install faiss-cpu`): exact, and approximate by
inverted lists. The labelled images are those of a finished run, each repeated with
noise as strong as the distance to its nearest neighbour, up to the size wanted.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import faiss
import numpy as np
from page import format_table, make_parser, publish
from sklearn.preprocessing import normalize

from imet_utils.decoding import NeighbourIndex
from imet_utils.decoding.neighbours import VOTERS
from imet_utils.labeller import Labeller
from imet_utils.progress import say

QUERIES = 1_000
MOST_LISTS = 1_024  # more take minutes to index

Search = Callable[[np.ndarray], np.ndarray]  # queries (N, D) -> indices (N, VOTERS)


def crowd(embeddings: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Draw so many unit vectors as near to each other as the given ones (M, D) are."""
    sines = np.sqrt(
        1 - index_exactly(embeddings).nearest(None, 1).cosines.clip(0, 1) ** 2
    )  # (M, 1)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(embeddings), size=size)
    noise = rng.standard_normal((size, embeddings.shape[1]), dtype=np.float32)
    return normalize(embeddings[drawn] + normalize(noise) * sines[drawn].astype(np.float32))


def index_exactly(embeddings: np.ndarray) -> NeighbourIndex:
    """Index the embeddings (M, D) as the package does, without labels."""
    dims = embeddings.shape[1]
    centre, axes = np.zeros(dims, np.float32), np.eye(dims, dtype=np.float32)
    return NeighbourIndex(centre, axes, embeddings, embeddings[:, :1])


def search_exactly(embeddings: np.ndarray) -> Search:
    """Search as the package does."""
    index = index_exactly(embeddings)
    index.nearest(embeddings[:1])  # which makes what searches
    return lambda queries: index.nearest(queries).indices


def search_by_faiss(kind: str, effort: str, embeddings: np.ndarray) -> Search:
    """Index the embeddings by a faiss factory string, and set how thoroughly it searches."""
    index = faiss.index_factory(embeddings.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    index.train(embeddings)
    index.add(embeddings)
    if effort:
        faiss.ParameterSpace().set_index_parameters(index, effort)
    return lambda queries: index.search(queries, VOTERS)[1]


def measure(embeddings: np.ndarray, size: int) -> list[list[str]]:
    """Index a crowd of a size in every way: the rows of the table."""
    known, queries = crowd(embeddings, size, seed=0), crowd(embeddings, QUERIES, seed=1)
    lists = min(MOST_LISTS, 2 ** round(np.log2(4 * size**0.5)))
    by_lists = partial(search_by_faiss, f"IVF{lists},Flat", "nprobe=32")
    ways = {
        "scikit-learn, exact (imet_utils)": search_exactly,
        "faiss, exact": partial(search_by_faiss, "Flat", ""),
        f"faiss, {lists:,} lists, 32 searched": by_lists,
    }
    rows, wanted = [], np.empty(0)
    for name, build in ways.items():
        start = perf_counter()
        search = build(known)
        built = perf_counter()
        found = search(queries)
        spent = perf_counter() - built
        wanted = wanted if rows else found
        recall = np.mean([np.isin(*pair).mean() for pair in zip(wanted, found, strict=True)])
        figures = [f"{built - start:.1f}", f"{1000 * spent / QUERIES:.2f}", f"{recall:.3f}"]
        rows.append([f"{size:,}", name, *figures])
        say(f"{rows[-1]}")
    return rows


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__, "neighbours")
    parser.add_argument("--output", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    arguments = parser.parse_args()
    embeddings = Labeller.load(arguments.output).index.embeddings
    head = ["labelled images", "search", "seconds to index", "ms an image", "found"]
    publish(
        arguments.page,
        "Neighbours of many images",
        f"{VOTERS} neighbours of each of {QUERIES:,} images; embeddings of 256 numbers, all cores. "
        "*Found*: the share of the true neighbours. The index of scikit-learn is the array itself.",
        format_table(head, [row for k in arguments.sizes for row in measure(embeddings, k)]),
    )


if __name__ == "__main__":
    main()
