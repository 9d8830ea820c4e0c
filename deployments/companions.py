"""What runs beside the trading loop of `brain shell`, as the settings ask for it. None of it can hold trading up (D1)."""

from __future__ import annotations

from shell.companion import Companion
from shell.config import Settings
from shell.home import Home


def companions_of(_home: Home, _settings: Settings) -> list[Companion]:
    """The companions to start after the shell and to stop before it, in this order and the reverse."""
    return []
