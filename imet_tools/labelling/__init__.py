"""The labeller in use: a command, pages for review, suspect labels, widgets of the notebooks."""

from imet_tools.labelling.corrections import add_images, correct_labels, read_reviewed
from imet_tools.labelling.explore import (
    Album,
    Comparison,
    compare_known,
    compare_runs,
    describe_threshold,
    match_names,
    open_album,
    other_predictions,
    plot_flipped,
)
from imet_tools.labelling.new_images import pick_new_images
from imet_tools.labelling.plots import plot_attention, plot_comparison, plot_image
from imet_tools.labelling.review import train_pictures, write_review
from imet_tools.labelling.suspect_labels import (
    find_suspects,
    leave_one_out,
    plot_suspect_labels,
    predict_from_others,
    write_suspect_labels,
)
from imet_tools.labelling.widgets import (
    browse,
    explain_picked,
    page_flips,
    slide_threshold,
    try_own,
)
