"""Run every benchmark and write the page of results anew.

    python benchmarks/measure_all.py --data DIR --many DIR --work DIR --output DIR

`--data` is a labelled collection of real images, `--many` one of ten thousand or more, `--work` may
be filled with what takes long, `--output` holds a finished run. A benchmark whose folder is not
given is left out, and so its page stays as it is; `--only NAME` measures some. On two cores all
takes some hours.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from imet_utils.progress import say

FOLDER = Path(__file__).parent
BENCHMARKS = {  # name: script, options; a folder in braces comes from the command line
    "decoder": "bench_decoder.py",
    "hog": "bench_hog.py",
    "extraction": "bench_extraction.py --threads 2 --images 120 --rounds 3",
    "extraction_resnet50": "bench_extraction.py --encoder resnet50",
    "memory": "bench_memory.py",
    "engines": "bench_engines.py",
    "neighbours": "bench_neighbours.py --output {output}",
    "cross_validation": "cross_validate.py --data {data} --work {work}",
    "ablation": "ablation.py --data {data} --work {work} --epochs 10",
    "learning_curves": "learning_curves.py --data {many} --work {work}",
    "known_labels": "known_labels.py --data {many} --work {work}",
    "known_labels_folds": "known_labels.py --folds --data {data} --work {work}",
    "label_faults": "label_faults.py --output {output}",
}


def fill_in(command: str, folders: Mapping[str, Path]) -> list[str]:
    """Split a command and put the folders in; KeyError where one of them is not given."""
    return [word.format_map(folders) for word in command.split()]


def main() -> int:
    """Run the benchmarks one after the other; return the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a collection of real images")
    parser.add_argument("--many", type=Path, help="another, of ten thousand or more")
    parser.add_argument("--work", type=Path, help="folder for data and results")
    parser.add_argument("--output", type=Path, help="a finished run of the sample")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=[*BENCHMARKS])
    asked = vars(parser.parse_args())
    given = {name: value for name, value in asked.items() if value is not None}
    for name in asked["only"]:
        try:
            script, *options = fill_in(BENCHMARKS[name], given)
        except KeyError as error:
            say(f"{name}: left out, it needs --{error.args[0]}")
            continue
        say(f"{name}: {script} {' '.join(options)}")
        code = subprocess.run([sys.executable, FOLDER / script, *options, "--page"]).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
