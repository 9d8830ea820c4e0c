"""What runs beside the trading loop of a home: the companions that `brain shell` starts, in this order."""

from __future__ import annotations

import os

from shell.companion import Companion
from shell.config import Settings
from shell.control.server import ControlApi
from shell.home import Home
from shell.secrets import load_secrets


def companions_of(settings: Settings, home: Home) -> list[Companion]:
    """The control API first: it is how anybody else reaches the shell. Raises BadInput for a `.env` that cannot be read."""
    secrets = load_secrets(os.environ, home.env_file)
    return [ControlApi(home.control_socket, settings.control, secrets.control_token)]
