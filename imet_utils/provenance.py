"""What every notebook's results were made from, so that nothing stale is read.

A notebook that has run to its end leaves `provenance.json` in its folder: the parameters, the
data, and the upstream notebooks, as they were. One whose inputs have changed since, or lack a
file, is refused before it does anything.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from imet_utils.files import fingerprint_of, load_json, sample_file

TABLES = "02_preprocess_images"  # the notebook that decides on labels and split
EVALUATION = "08_evaluate_test"  # the one that makes results.csv, predictions and the labeller
LABELLING = "09_label_new_images"
NEEDS = {  # what each notebook reads of those before it
    "01_explore_data": (),
    TABLES: (),
    "03_visualize_hog": (TABLES,),
    "04_train_baseline": (TABLES,),
    "05_fuse_hog": (TABLES, "03_visualize_hog", "04_train_baseline"),
    "06_train_attncnn_rnn": (TABLES, "03_visualize_hog", "04_train_baseline", "05_fuse_hog"),
    "07_visualize_roc_attention": (TABLES, "05_fuse_hog", "06_train_attncnn_rnn"),
    EVALUATION: (TABLES, "04_train_baseline", "05_fuse_hog", "06_train_attncnn_rnn"),
    LABELLING: (TABLES, EVALUATION),
    "10_suspect_labels": (TABLES, EVALUATION),
}
PROVENANCE = "provenance.json"
PARTS = {"train": ("train.csv", "labels.csv"), "test": ("sample_submission.csv",)}
TEST_READERS = (EVALUATION, LABELLING)  # the notebooks whose results depend on `test/`

Provenance = dict[str, Any]


def upstream_of(notebook: str) -> list[str]:
    """List all notebooks that one stands on, also by way of others, in their order.

    >>> upstream_of("05_fuse_hog")
    ['02_preprocess_images', '03_visualize_hog', '04_train_baseline']
    """
    found = set(NEEDS.get(notebook, ()))
    for needed in NEEDS.get(notebook, ()):
        found.update(upstream_of(needed))
    return sorted(found)


def parts_of(notebook: str) -> list[str]:
    """List the parts of a collection that a notebook's results depend on."""
    return [part for part in PARTS if part == "train" or notebook in TEST_READERS]


def read_provenance(output_dir: Path, notebook: str) -> Provenance | None:
    """Read what a notebook was made from; None where it has not run to its end."""
    try:
        return load_json(output_dir / notebook / PROVENANCE)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def make_provenance(
    notebook: str,
    parameters: Mapping[str, Any],
    data_dir: Path,
    data: Mapping[str, Any],
    provenances: Mapping[str, Provenance],
    products: Iterable[str],
) -> Provenance:
    """Say what a notebook's results were made from; its `id` is a hash of all but the paths.

    Args:
        notebook: its name.
        parameters: those that count.
        data_dir: the collection.
        data: its state, see `data_state`.
        provenances: of all notebooks that it stands on.
        products: the files that it made, relative to the output folder.
    """
    contents = {part: data[part] and data[part]["content"] for part in parts_of(notebook)}
    grounds = {name: provenance["id"] for name, provenance in provenances.items()}
    return {
        "id": fingerprint_of([dict(parameters), contents, grounds]),
        "code": code_digest(),
        "parameters": dict(parameters),
        "data_dir": str(data_dir),
        "data": dict(data),
        "made_from": {
            name: {key: provenance[key] for key in ("id", "parameters")}
            for name, provenance in provenances.items()
        },
        "products": list(products),
    }


def list_products(output_dir: Path, patterns: Iterable[str]) -> list[str]:
    """List the files that match any of the patterns, relative to `output_dir`, sorted."""
    found = {path for pattern in patterns for path in output_dir.glob(pattern) if path.is_file()}
    return sorted(path.relative_to(output_dir).as_posix() for path in found)


def stale_reason(output_dir: Path, notebook: str, data_dir: Path | None = None) -> str:
    """Say why a notebook cannot run on what lies in `output_dir`, and which to run first.

    Args:
        output_dir: of the run.
        notebook: that is to run.
        data_dir: the collection it is to run on; None for that of `02_preprocess_images`.

    Returns:
        One sentence, or "" where all that it stands on is there and of one provenance.
    """
    stale = _find_stale(output_dir, upstream_of(notebook), data_dir)
    if not stale:
        return ""
    cause = next(iter(stale.values()))
    numbers = [name[:2] for name in stale]
    run = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    return f"{cause}: run {run} again, then {notebook[:2]} (results in {output_dir})"


def is_current(
    output_dir: Path, notebook: str, values: Mapping[str, Any], data_dir: Path | None = None
) -> bool:
    """Tell whether a notebook, run with these values, would make again what it has made.

    Args:
        output_dir: of the run.
        notebook: its name.
        values: of all its parameters.
        data_dir: the collection it is to run on; None for that of `02_preprocess_images`.
    """
    own = read_provenance(output_dir, notebook)
    if own is None or own["code"] != code_digest():
        return False
    same = {name: values[name] for name in own["parameters"] if name in values}
    changed = own["parameters"] != own["parameters"] | same
    return not changed and not _find_stale(output_dir, [*upstream_of(notebook), notebook], data_dir)


def _find_stale(output_dir: Path, names: Iterable[str], data_dir: Path | None) -> dict[str, str]:
    """Find those of the notebooks that must run again, in their order, and why if by themselves."""
    provenances = {name: read_provenance(output_dir, name) for name in names}
    finished = next((provenance for provenance in provenances.values() if provenance), None)
    if finished is None:
        data = {}
    else:
        data = data_state(data_dir or Path(finished["data_dir"]), finished["data"])
    stale: dict[str, str] = {}
    for name in provenances:
        reason = _own_reason(output_dir, name, provenances, data)
        if reason or any(needed in stale for needed in NEEDS[name]):
            stale[name] = reason
    return stale


@cache
def code_digest() -> str:
    """Hash the sources of the package, which results depend on too."""
    package = Path(__file__).parent
    sources = sorted(package.rglob("*.py"))
    return _digest(f"{path.relative_to(package)}\t{path.read_text('utf-8')}" for path in sources)


def _own_reason(
    output_dir: Path,
    name: str,
    provenances: Mapping[str, Provenance | None],
    data: Mapping[str, Any],
) -> str:
    """Say what is wrong with a notebook's results, beside what it stands on being outdated."""
    provenance = provenances[name]
    if provenance is None:
        return f"{name} has not run to its end"
    for product in provenance["products"]:
        if not (output_dir / product).exists():
            return f"{product}, which {name} made, is gone"
    for part in parts_of(name):
        before, now = provenance["data"][part], data[part]
        if (before and before["content"]) != (now and now["content"]):
            return f"{part}/ or {' or '.join(PARTS[part])} has changed since {name} ran"
    for needed, made_from in provenance["made_from"].items():
        current = provenances[needed]
        if current and current["id"] != made_from["id"]:
            changes = _changes(made_from["parameters"], current["parameters"])
            return f"{needed} was run anew with {changes} after {name}"
    return ""


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    changed = [f"{name} {value}" for name, value in after.items() if before.get(name) != value]
    return ", ".join(changed) or "other results before it"


def known_data(provenances: Mapping[str, Provenance | None]) -> Mapping[str, Any] | None:
    """Take what is known of the data from the first provenance that there is."""
    return next((provenance["data"] for provenance in provenances.values() if provenance), None)


def data_state(data_dir: Path, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Describe both parts of a collection by two digests: `stamp`, of the files' sizes and times,
    and `content`, see `data_fingerprint`.

    Args:
        data_dir: the collection.
        known: an earlier state: where the stamp is the same, so is the content, and nothing is
            read.

    Returns:
        For `train` and `test` both digests, or None where the collection has no such folder.
    """  # noqa: D205
    state: dict[str, Any] = {}
    for part in PARTS:
        stamp = _digest(
            f"{path.name}\t{status.st_size}\t{status.st_mtime_ns}"
            for path, status in _files_of(data_dir, part)
        )
        before = known.get(part) if known else None
        same = before and before["stamp"] == stamp
        content = before["content"] if same else data_fingerprint(data_dir, part)
        state[part] = {"stamp": stamp, "content": content} if content else None
    return state


def data_fingerprint(data_dir: Path, part: str) -> str | None:
    """Hash the tables of a part of a collection, and names, sizes and samples of its images.

    Args:
        data_dir: the collection.
        part: `train` or `test`.

    Returns:
        A hexadecimal digest, whatever the files' times; None where there is no folder of the part.
    """
    if not (data_dir / part).is_dir():
        return None
    return _digest(
        f"{path.name}\t{_hash_table(path) if path.suffix == '.csv' else sample_file(path)}"
        for path, _ in _files_of(data_dir, part)
    )


def _files_of(data_dir: Path, part: str) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the tables of a part and the files of its folder, by name."""
    tables = [data_dir / name for name in PARTS[part]]
    folder = data_dir / part
    images = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in [*tables, *images]:
        if path.is_file() and not path.name.startswith("."):
            yield path, path.stat()


def _hash_table(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(lines: Iterator[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()
