"""Collections in iMet's layout, made from what museums give away."""

from imet_tools.museums.collecting import collect_met
from imet_tools.museums.requesting import Unavailable
