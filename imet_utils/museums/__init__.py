"""Collections in iMet's layout, made from what museums give away."""

from imet_utils.museums.collecting import Summary, collect_met
from imet_utils.museums.requesting import Unavailable
