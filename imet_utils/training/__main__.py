"""Train a head on one machine or several, whose `--output` is the same folder.

`torchrun --nproc-per-node 2 -m imet_utils.training NOTEBOOK/HEAD --data DIR --output DIR`
"""

import argparse
from dataclasses import fields, replace

from imet_utils.distributed import join_processes, wait_for_all
from imet_utils.models import Rnn
from imet_utils.provenance import RECORD
from imet_utils.runs import find_data_dir, read_run
from imet_utils.training.heads import train_head
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
    parser.add_argument("--encoder", help="whose features are stored; that of the run")
    for option in [*fields(TrainConfig), *fields(Rnn)]:
        if option.type is not bool:
            name = f"--{option.name.replace('_', '-')}"
            parser.add_argument(name, type=option.type, help="as in notebooks")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    folder, data, output = (given.pop(name) for name in ("folder", "data", "output"))
    notebook, _, head = folder.rpartition("/")
    if head not in RECIPES:
        parser.error(f"no head is called {head!r}; there are {', '.join(RECIPES)}")
    known = {field.name for part in RECIPES[head].parts.values() for field in fields(part)}
    if unknown := given.keys() - known - {"encoder"}:
        parser.error(f"{head} has no setting {', '.join(sorted(unknown))}")
    try:
        run = read_run(output)
    except FileNotFoundError as error:
        parser.error(str(error))
    parameters = {name.upper(): value for name, value in given.items()} | {"NUM_PROCESSES": 1}
    data_dir = find_data_dir(data) if data else run.data_dir
    join_processes()
    wait_for_all()  # until each has read the run
    (run.output_dir / notebook / RECORD).unlink(missing_ok=True)  # what it predicted is outdated
    train_head(replace(run, notebook=notebook, data_dir=data_dir, parameters=parameters), head)


if __name__ == "__main__":
    main()
