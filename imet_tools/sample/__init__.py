"""The rendered sample collection: pictures in the manner of twenty cultures, drawn by code.

`collection` writes the files, `labels` draws who is labelled with what from the `vocabulary`,
`scenes` composes a picture of motifs, and the other modules draw them.
"""

from imet_tools.sample.boxes import load_boxes
from imet_tools.sample.collection import draw_records, image_id, render_image, write_sample_data

__all__ = ["draw_records", "image_id", "load_boxes", "render_image", "write_sample_data"]
