"""What every notebook's results were made from, so that nothing stale is read.

A notebook that has run to its end leaves `provenance.json` in its folder: its parameters, its
code, the data, the notebooks upstream, and a digest of each file that it made. A notebook whose
inputs have changed since, or lack a file, is refused before it does anything.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imet_utils.code import code_digest
from imet_utils.files import fingerprint_of, hash_file, sample_file, try_json

RECORD = "provenance.json"
PARTS = {"train": ("train.csv", "labels.csv"), "test": ("sample_submission.csv",)}
PLACES = ("DATA_DIR", "OUTPUT_DIR")  # parameters that say where, which the record has by itself
SPEED = ("NUM_WORKERS", "NUM_PROCESSES")  # parameters that change no result
TRACKED = "tracker"  # folders of experiment trackers, which are no products
UNHASHED = ("figures/", "notebooks/")  # products that nothing else is made from

Provenance = dict[str, Any]
Records = Mapping[str, Provenance | None]  # of notebooks, None where one has not run to its end


def read_provenance(output_dir: Path, notebook: str) -> Provenance | None:
    """Read what a notebook's results were made from; None where it has not run to its end."""
    return try_json(output_dir / notebook / RECORD)


def make_provenance(
    output_dir: Path,
    parameters: Mapping[str, Any],
    modules: Iterable[str],
    data_dir: Path,
    data: Mapping[str, Any],
    upstream: Mapping[str, Provenance],
    products: Iterable[str],
) -> Provenance:
    """Record what the results of a notebook were made from, and its `products` in `output_dir`.

    Its `id` is a hash of parameters, data, upstream ids and the files that were made. So the
    notebooks downstream are outdated if another loss or an edited cell gave other results, and
    are not if the same came out again.
    """
    parameters = {name: value for name, value in parameters.items() if name not in PLACES}
    made = {n: _hash_file(str(output_dir / n)) for n in products if not n.startswith(UNHASHED)}
    ids = {name: record["id"] for name, record in upstream.items()}
    contents = {part: state and state["content"] for part, state in data.items()}
    modules = sorted(modules)
    kept = ("id", "parameters")
    return {
        "id": fingerprint_of([_counted(parameters), contents, ids, made]),
        "parameters": parameters,
        "modules": modules,
        "code": code_digest(*modules),
        "data_dir": str(data_dir),
        "data_dir_from_here": os.path.relpath(data_dir, output_dir),
        "data": dict(data),
        "upstream": {name: {key: record[key] for key in kept} for name, record in upstream.items()},
        "products": sorted(products),
    }


def _counted(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in SPEED}


def list_finished(output_dir: Path) -> dict[str, Provenance]:
    """Read the records of all notebooks of a run that have run to their end, in their order."""
    names = sorted(path.parent.name for path in output_dir.glob(f"*/{RECORD}"))
    found = {name: read_provenance(output_dir, name) for name in names}
    return {name: record for name, record in found.items() if record}


def find_product(
    output_dir: Path, name: str, records: Mapping[str, Provenance] | None = None
) -> tuple[Path, Provenance]:
    """Find a file by the last parts of its path, such as `mlp/best.pt`, and its maker's record.

    Of several notebooks that made one, of all in the run or of those in `records`, the last counts;
    a FileNotFoundError if none has.
    """
    records = list_finished(output_dir) if records is None else records
    for record in reversed(list(records.values())):
        for product in record["products"]:
            if f"/{product}".endswith(f"/{name}"):
                return output_dir / product, record
    raise FileNotFoundError(f"no notebook that ran to its end in {output_dir} has made {name}")


def collection_of(output_dir: Path, record: Provenance) -> Path:
    """Return the collection that a notebook ran on, also after both folders moved together."""
    moved = Path(os.path.normpath(output_dir / record["data_dir_from_here"]))
    return moved if moved.is_dir() else Path(record["data_dir"])


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


def stale_reason(output_dir: Path, notebook: str, records: Records, data: Mapping[str, Any]) -> str:
    """Tell why a notebook cannot run on the results upstream of it, and which to run first.

    `records` are of all notebooks upstream (`list_upstream`), `data` is the state of the collection
    now (`current_data`). It is one sentence, or "" where all is there and consistent.
    """
    stale = find_stale(output_dir, records, data)
    if not stale:
        return ""
    *others, last = (name.partition("_")[0] for name in stale)
    run = f"{', '.join(others)} and {last}" if others else last
    own = notebook.partition("_")[0]
    return f"{next(iter(stale.values()))}: run {run} again, then {own} (results in {output_dir})"


def is_current(
    output_dir: Path, notebook: str, values: Mapping[str, Any], data_dir: Path | None = None
) -> bool:
    """Tell whether a notebook, run with these values, would make again what it has made.

    A parameter that is not in `values` counts as unchanged, and so does the place of the
    collection without `data_dir`.
    """
    records = list_upstream(output_dir, [notebook])
    own = records[notebook]
    if own is None:
        return False
    before, now = _counted(own["parameters"]), _counted(values)
    if any(now[name] != value for name, value in before.items() if name in now):
        return False
    if data_dir and not own["upstream"] and data_dir != collection_of(output_dir, own):
        return False  # else the notebooks downstream would look for the collection in vain
    try:
        same_code = own["code"] == code_digest(*own["modules"])
    except FileNotFoundError:  # a module has moved
        return False
    data = current_data(output_dir, records, data_dir)
    return same_code and not find_stale(output_dir, records, data)


def current_data(
    output_dir: Path, records: Records, data_dir: Path | None = None, parts: Iterable[str] = ()
) -> dict[str, Any]:
    """Read the state (`data_state`) of the parts of a collection that the records depend on.

    `parts` are added. Without a `data_dir` the collection is the one that the records name.
    """
    sound = [record for record in records.values() if record]
    known = {part: state for record in sound for part, state in record["data"].items()}
    if sound and not data_dir:
        data_dir = collection_of(output_dir, sound[0])
    return data_state(data_dir, {*known, *parts}, known) if data_dir else {}


def find_stale(output_dir: Path, records: Records, data: Mapping[str, Any]) -> dict[str, str]:
    """Find the notebooks that must run again, in their order, each with its own reason or ""."""
    stale: dict[str, str] = {}
    for name, record in records.items():
        reason = _own_reason(output_dir, name, records, data)
        if reason or (record and any(needed in stale for needed in record["upstream"])):
            stale[name] = reason
    return stale


def _own_reason(output_dir: Path, name: str, records: Records, data: Mapping[str, Any]) -> str:
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
            then = record["upstream"][needed]["parameters"]
            changed = [f"{key} {v}" for key, v in now["parameters"].items() if then.get(key) != v]
            what = ", ".join(changed) or "other results"
            return f"{needed} was run anew with {what} after {name}"
    return ""


def changed_upstream(record: Provenance, records: Records) -> Iterator[str]:
    """Yield the notebooks upstream of a record that are unfinished now or have other results."""
    for name, then in record["upstream"].items():
        now = records[name]
        if now is None or now["id"] != then["id"]:
            yield name


def data_state(
    data_dir: Path, parts: Iterable[str], known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe parts of a collection by two digests each.

    `stamp` is of the files' sizes and times; `content` of the tables, and of names, sizes and
    samples of the images, whatever their times.

    Returns:
        Both digests by part, or None where there is no such folder. Where the stamp is that of the
        `known` state, no file is read.
    """
    state: dict[str, Any] = {}
    for part in parts:
        files = _list_files(data_dir, part)
        stamp = fingerprint_of([(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files])
        state[part] = (known or {}).get(part)
        if not (data_dir / part).is_dir():
            state[part] = None
        elif not state[part] or state[part]["stamp"] != stamp:
            content = fingerprint_of([(file.name, _hash_file(file.path)) for file in files])
            state[part] = {"stamp": stamp, "content": content}
    return state


def _list_files(data_dir: Path, part: str) -> list["os.DirEntry[str]"]:
    """List the tables of a part and the files of its folder; an entry's `stat` asks once."""
    found: list[os.DirEntry[str]] = []
    for folder, names in ((data_dir, PARTS[part]), (data_dir / part, None)):
        if folder.is_dir():
            with os.scandir(folder) as entries:
                of_part = [e for e in entries if not names or e.name in names]
            found += [e for e in of_part if e.is_file() and not e.name.startswith(".")]
    return sorted(found, key=lambda entry: entry.path)


def _hash_file(path: str) -> str:
    return hash_file(path) if path.endswith(".csv") else sample_file(path)
