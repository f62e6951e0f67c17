"""Labels for new images: by one object, on the command line, on a page for review, in widgets."""

from imet_tools.labelling.comparison import (
    Comparison,
    compare_runs,
    other_predictions,
    plot_flipped,
)
from imet_tools.labelling.explore import (
    Album,
    compare_named,
    describe_threshold,
    known_pictures,
    open_album,
    page_of,
    pick_new_images,
    plot_image,
)
from imet_tools.labelling.faults import (
    doubt_pairs,
    judge_pairs,
    place_images,
    plot_label_faults,
    write_label_faults,
)
from imet_tools.labelling.review import ReviewImage, Suggestion, write_review
from imet_tools.labelling.widgets import (
    browse,
    is_interactive,
    look_closer,
    page_flips,
    slide_threshold,
    try_own,
)
