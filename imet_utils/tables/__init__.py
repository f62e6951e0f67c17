"""A collection: its tables, labels, split and image files, all checked."""

from imet_utils.tables.checks import (
    check_split,
    check_tables,
    load_collection,
    load_unlabelled,
    measure_files,
    read_skipped,
)
from imet_utils.tables.collection_tables import (
    OTHER_KINDS,
    Tables,
    assign_parts,
    drop_rare_labels,
    equal_images,
    limit_images,
    load_tables,
    read_tables,
    save_tables,
    split_label,
    split_tables,
    take_split,
)
from imet_utils.tables.csv_files import file_key
from imet_utils.tables.images import (
    SUFFIXES,
    find_images,
    name_files,
    read_image,
    read_thumbnail,
    submission_ids,
)
from imet_utils.tables.split import SPLITS, stratify
