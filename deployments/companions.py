"""What runs beside the trading loop of a home: the companions that `brain shell` starts, in this order."""

from __future__ import annotations

import os

from deployments.links import stored_links
from shell.companion import Companion
from shell.config import Settings
from shell.control.server import ControlApi
from shell.home import Home
from shell.page.server import Page
from shell.secrets import load_secrets


def companions_of(settings: Settings, home: Home) -> list[Companion]:
    """The control API first: it is how anybody else reaches the shell. Raises BadInput for a `.env` that cannot be read."""
    secrets = load_secrets(os.environ, home.env_file)
    found: list[Companion] = [ControlApi(home.control_socket, settings.control, secrets.control_token)]
    if settings.page.enabled:
        found.append(Page(home, _page_of(settings, home), token=secrets.page_token, links=lambda: stored_links(home)))
    return found


def _page_of(settings: Settings, home: Home) -> Settings:
    """The port of the settings is the project's: a home beside it takes any free one, which `brain status` tells."""
    if home.config.parent == home.root:
        return settings
    return settings.model_copy(update={"page": settings.page.model_copy(update={"port": 0})})
