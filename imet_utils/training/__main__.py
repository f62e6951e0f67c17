"""Train a head on one machine or several, whose `--output` is the same folder.

`accelerate launch -m imet_utils.training HEAD --data DIR --output DIR`
"""

import argparse
from dataclasses import MISSING, fields

from imet_utils.provenance import stale_reason
from imet_utils.runs import find_data_dir, find_output_dir
from imet_utils.training.heads import RECIPES, HeadJob, train_head


def main() -> None:
    """Train a head as the command line says, on the processes that `accelerate launch` started."""
    parser = argparse.ArgumentParser(
        prog="accelerate launch -m imet_utils.training",
        description="Train a head on what the notebooks before it have stored.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("head", choices=RECIPES, help="what to train")
    parser.add_argument("--data", default="", help="the collection; as DATA_DIR")
    parser.add_argument("--output", default="", help="folder of the notebooks' results; OUTPUT_DIR")
    options = [option for option in fields(HeadJob) if option.default is not MISSING]
    for option in options:
        name = f"--{option.name.replace('_', '-')}"
        parser.add_argument(name, default=option.default, type=option.type, help="as in notebooks")
    given = vars(parser.parse_args())
    data_dir, output_dir = find_data_dir(given.pop("data")), find_output_dir(given.pop("output"))
    notebook = RECIPES[given["head"]].folder.partition("/")[0]
    if reason := stale_reason(output_dir, notebook, data_dir):
        parser.error(reason)
    train_head(HeadJob(given.pop("head"), data_dir, output_dir, **given))


if __name__ == "__main__":
    main()
