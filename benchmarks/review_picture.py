"""The picture of the review page in `docs/review-labels.md`, of painted test images.

python benchmarks/review_picture.py --output outputs    # a run of the sample; needs Chromium
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

from imet_tools.labelling.label_files import label_files
from imet_tools.sample.collection import write_sample_data
from imet_utils.labeller import Labeller
from imet_utils.runs import PROJECT_DIR

PICTURE = PROJECT_DIR / "docs/review.webp"
CHROMIUM = "/usr/bin/chromium"
NUM_IMAGES = 4  # that are painted and labelled; the first is seen
SIZE = {"width": 1280, "height": 900}


def take_picture(labeller: Labeller) -> None:
    """Label painted images and write a picture of their review page as WebP."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        sample = write_sample_data(folder / "sample", num_images=1, num_test=NUM_IMAGES)
        label_files(labeller, [sample / "test"], folder)
        [page] = folder.glob("labelled/*/review.html")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            shown = browser.new_page(viewport=SIZE)
            shown.goto(page.as_uri())
            shown.screenshot(path=folder / "page.png")
            browser.close()
        Image.open(folder / "page.png").convert("RGB").save(PICTURE, "WEBP", quality=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, help="folder of a finished run of the sample")
    take_picture(Labeller.load(parser.parse_args().output))
