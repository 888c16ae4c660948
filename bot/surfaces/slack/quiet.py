"""The libraries' logger: their words hold texts, addresses and one-time URLs; what matters of it we log ourselves."""

import logging
from typing import Final

QUIET: Final = logging.getLogger("bot.surfaces.slack.library")
QUIET.setLevel(logging.CRITICAL + 1)
QUIET.propagate = False
