"""Train a head on one machine or several, whose `--output` is the same folder.

`torchrun --nproc-per-node 2 -m imet_utils.training NOTEBOOK/HEAD --data DIR --output DIR`
"""

import argparse
from dataclasses import fields, replace

from imet_utils.models import Rnn
from imet_utils.provenance import find_product
from imet_utils.runs import TABLES, find_data_dir, find_output_dir
from imet_utils.training.heads import HeadJob, train_job
from imet_utils.training.loop import TrainConfig
from imet_utils.training.recipes import RECIPES


def main() -> None:
    """Train a head as the command line says, on the processes that `torchrun` started."""
    parser = argparse.ArgumentParser(
        prog="torchrun -m imet_utils.training",
        description="Train a head on the features that the notebooks have stored.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", help="of the head in OUTPUT_DIR: its notebook's name / its own")
    parser.add_argument("--data", default="", help="the collection; as DATA_DIR")
    parser.add_argument("--output", default="", help="folder of the notebooks' results; OUTPUT_DIR")
    parser.add_argument("--encoder", default="efficientnet_lite0", help="whose features are stored")
    for option in [*fields(TrainConfig), *fields(Rnn)]:
        if option.type is not bool:
            name = f"--{option.name.replace('_', '-')}"
            parser.add_argument(name, type=option.type, help="as in notebooks")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    output_dir = find_output_dir(given.pop("output"))
    folder, data, encoder = (given.pop(name) for name in ("folder", "data", "encoder"))
    head = folder.rpartition("/")[2]
    if head not in RECIPES:
        parser.error(f"no head is called {head!r}; there are {', '.join(RECIPES)}")
    try:
        find_product(output_dir, TABLES)
    except FileNotFoundError as error:
        parser.error(str(error))
    recipe, unknown = RECIPES[head], set(given)
    for part in ("config", "layers"):
        settings = getattr(recipe, part)
        own = {field.name: given[field.name] for field in fields(settings) if field.name in given}
        recipe, unknown = replace(recipe, **{part: replace(settings, **own)}), unknown - set(own)
    if unknown:
        parser.error(f"{head} has no setting {', '.join(sorted(unknown))}")
    job = HeadJob(head, recipe, output_dir / folder, output_dir, find_data_dir(data), encoder)
    train_job(job)


if __name__ == "__main__":
    main()
