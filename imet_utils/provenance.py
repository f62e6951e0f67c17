"""What every notebook's results were made from, so that nothing stale is read.

A notebook that has run to its end leaves `provenance.json` in its folder: its parameters, its
code, the data, the notebooks upstream, and a digest of each file that it made. A notebook whose
inputs have changed since, or lack a file, is refused before it does anything.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imet_utils.code import code_digest
from imet_utils.files import fingerprint_of, load_json, sample_file

RECORD = "provenance.json"
PARTS = {"train": ("train.csv", "labels.csv"), "test": ("sample_submission.csv",)}
PLACES = ("DATA_DIR", "OUTPUT_DIR")  # parameters that say where, which the record has by itself
SPEED = ("NUM_WORKERS", "NUM_PROCESSES")  # parameters that change no result
UNHASHED = ("figures/", "notebooks/")  # products that nothing else is made from

Provenance = dict[str, Any]


def read_provenance(output_dir: Path, notebook: str) -> Provenance | None:
    """Read what a notebook's results were made from; None where it has not run to its end."""
    try:
        return load_json(output_dir / notebook / RECORD)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def make_provenance(
    output_dir: Path,
    parameters: Mapping[str, Any],
    modules: Iterable[str],
    data_dir: Path,
    data: Mapping[str, Any],
    upstream: Mapping[str, Provenance],
    products: Iterable[str],
) -> Provenance:
    """Record what a notebook's results were made from.

    Its `id` is a hash of parameters, data, upstream ids and the files that were made. So the
    notebooks downstream are outdated if another loss or an edited cell gave other results, and
    are not if the same came out again.

    Args:
        output_dir: of the run.
        parameters: all of the notebook's.
        modules: that it imports.
        data_dir: the collection.
        data: its parts that the results depend on, see `data_state`.
        upstream: of all notebooks that it depends on, by name.
        products: the files that it made, relative to `output_dir`.
    """
    parameters = {name: value for name, value in parameters.items() if name not in PLACES}
    digests = {
        name: sample_file(output_dir / name) for name in products if not name.startswith(UNHASHED)
    }
    ids = {name: record["id"] for name, record in upstream.items()}
    contents = {part: state and state["content"] for part, state in data.items()}
    modules = sorted(modules)
    return {
        "id": fingerprint_of([_counted(parameters), contents, ids, digests]),
        "parameters": parameters,
        "modules": modules,
        "code": code_digest(*modules),
        "data_dir": str(data_dir),
        "data_dir_from_here": os.path.relpath(data_dir, output_dir),
        "data": dict(data),
        "upstream": {
            name: {key: record[key] for key in ("id", "parameters")}
            for name, record in upstream.items()
        },
        "products": sorted(products),
    }


def _counted(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in SPEED}


def list_records(output_dir: Path) -> dict[str, Provenance]:
    """Read the records of all notebooks that have run to their end, in their order."""
    names = sorted(path.parent.name for path in output_dir.glob(f"*/{RECORD}"))
    found = {name: read_provenance(output_dir, name) for name in names}
    return {name: record for name, record in found.items() if record}


def find_product(
    output_dir: Path, name: str, records: Mapping[str, Provenance] | None = None
) -> tuple[Path, Provenance]:
    """Find a file that some notebook has made, and the record of that notebook.

    Args:
        output_dir: of the run.
        name: the last parts of its path, such as `images.csv` or `mlp/best.pt`.
        records: of the notebooks to look at, the last one first; None for all of the run.

    Raises:
        FileNotFoundError: if none has made it.
    """
    records = list_records(output_dir) if records is None else records
    for record in reversed(list(records.values())):
        for product in record["products"]:
            if f"/{product}".endswith(f"/{name}"):
                return output_dir / product, record
    raise FileNotFoundError(f"no notebook that ran to its end in {output_dir} has made {name}")


def collection_of(output_dir: Path, record: Provenance) -> Path:
    """Return the collection that a notebook ran on, also after both folders moved together."""
    recorded = Path(record["data_dir"])
    moved = Path(os.path.normpath(output_dir / record["data_dir_from_here"]))
    return moved if moved.is_dir() and not recorded.is_dir() else recorded


def list_upstream(output_dir: Path, direct: Sequence[str]) -> dict[str, Provenance | None]:
    """Read the records of notebooks, and of all that these depend on in turn, in their order."""
    found: dict[str, Provenance | None] = {}
    waiting = list(direct)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = record = read_provenance(output_dir, name)
            waiting += record["upstream"] if record else ()
    return dict(sorted(found.items()))


def stale_reason(
    output_dir: Path, notebook: str, upstream: Sequence[str], data_dir: Path | None = None
) -> str:
    """Tell why a notebook cannot run on what lies in `output_dir`, and which to run first.

    Args:
        output_dir: of the run.
        notebook: that is to run.
        upstream: the notebooks that it depends on.
        data_dir: the collection it is to run on; None for the recorded one.

    Returns:
        One sentence, or "" where everything upstream is there and consistent.
    """
    stale = _find_stale(output_dir, list_upstream(output_dir, upstream), data_dir)
    if not stale:
        return ""
    numbers = [name.partition("_")[0] for name in stale]
    run = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    own = notebook.partition("_")[0]
    return f"{next(iter(stale.values()))}: run {run} again, then {own} (results in {output_dir})"


def is_current(
    output_dir: Path, notebook: str, values: Mapping[str, Any], data_dir: Path | None = None
) -> bool:
    """Tell whether a notebook, run with these values, would make again what it has made.

    Args:
        output_dir: of the run.
        notebook: its name.
        values: of all its parameters.
        data_dir: the collection it is to run on; None for the recorded one.
    """
    own = read_provenance(output_dir, notebook)
    if own is None:
        return False
    before, now = _counted(own["parameters"]), _counted(values)
    if any(now[name] != value for name, value in before.items() if name in now):
        return False
    try:
        same_code = own["code"] == code_digest(*own["modules"])
    except FileNotFoundError:  # a module has moved
        return False
    records = list_upstream(output_dir, [notebook])
    return same_code and not _find_stale(output_dir, records, data_dir)


def _find_stale(
    output_dir: Path, records: Mapping[str, Provenance | None], data_dir: Path | None
) -> dict[str, str]:
    """Find the notebooks that must run again, in their order, each with its own reason or ""."""
    first = next((record for record in records.values() if record), None)
    data = {}
    if first:
        known = {part: state for r in records.values() if r for part, state in r["data"].items()}
        data = data_state(data_dir or collection_of(output_dir, first), known, known)
    stale: dict[str, str] = {}
    for name, record in records.items():
        reason = _own_reason(output_dir, name, records, data)
        if reason or (record and any(needed in stale for needed in record["upstream"])):
            stale[name] = reason
    return stale


def _own_reason(
    output_dir: Path,
    name: str,
    records: Mapping[str, Provenance | None],
    data: Mapping[str, Any],
) -> str:
    """Tell what is wrong with a notebook's results, apart from outdated notebooks upstream."""
    record = records[name]
    if record is None:
        return f"{name} has not run to its end"
    for product in record["products"]:
        if not (output_dir / product).exists():
            return f"{product}, which {name} made, is gone"
    for part, before in record["data"].items():
        if (before and before["content"]) != (data[part] and data[part]["content"]):
            return f"{part}/ or {' or '.join(PARTS[part])} has changed since {name} ran"
    for needed in changed_upstream(record, records):
        if now := records[needed]:  # else it is outdated itself
            then = record["upstream"][needed]
            changes = _describe_changes(then["parameters"], now["parameters"])
            return f"{needed} was run anew with {changes} after {name}"
    return ""


def changed_upstream(record: Provenance, records: Mapping[str, Provenance | None]) -> Iterator[str]:
    """Yield the notebooks upstream of a record that are unfinished now or have other results."""
    for name, then in record["upstream"].items():
        now = records[name]
        if now is None or now["id"] != then["id"]:
            yield name


def _describe_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    changed = [f"{name} {value}" for name, value in after.items() if before.get(name) != value]
    return ", ".join(changed) or "other results"


def data_state(
    data_dir: Path, parts: Iterable[str], known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe parts of a collection by two digests each.

    `stamp` is of the files' sizes and times, `content` as of `data_fingerprint`.

    Args:
        data_dir: the collection.
        parts: `train`, `test` or both.
        known: an earlier state: where the stamp is the same, so is the content, and nothing is
            read.

    Returns:
        Both digests by part, or None where the collection has no such folder.
    """
    state: dict[str, Any] = {}
    for part in parts:
        stamp = _digest(
            f"{path.name}\t{status.st_size}\t{status.st_mtime_ns}"
            for path, status in _files_of(data_dir, part)
        )
        before = (known or {}).get(part)
        if before and before["stamp"] == stamp:
            content = before["content"]
        else:
            content = data_fingerprint(data_dir, part)
        state[part] = {"stamp": stamp, "content": content} if content else None
    return state


def data_fingerprint(data_dir: Path, part: str) -> str | None:
    """Hash the tables of a part of a collection, and names, sizes and samples of its images.

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
