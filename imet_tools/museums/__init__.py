"""Collections in iMet's layout, built from museums' open data."""

from imet_tools.museums.collecting import collect_met
from imet_tools.museums.requesting import Unavailable
