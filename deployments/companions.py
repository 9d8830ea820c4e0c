"""What runs beside the trading loop of `brain shell`, started in this order and stopped in the reverse. None of it can hold
trading up (D1)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from deployments.links import stored_links
from deployments.telegram import telegram_for
from shell.clock import Clock
from shell.companion import Companion, LinkHealth
from shell.control.server import ControlApi
from shell.page.server import Page
from shell.secrets import load_secrets
from shell.service import Shell
from shell.watchdog import Watchdog


def companions_of(shell: Shell, clock: Clock, tell: Callable[[str], None]) -> list[Companion]:
    """The control API first: it is how anybody else reaches the shell. `tell` hears what is switched off, and why.

    Raises BadInput for a `.env` that cannot be read.
    """
    home, settings = shell.home, shell.config
    secrets = load_secrets(os.environ, home.env_file)
    found: list[Companion] = [
        ControlApi(home.control_socket, settings.control, secrets.control_token), Watchdog(home, clock),
    ]

    def links() -> Sequence[LinkHealth]:
        return [*(each.health() for each in found), *stored_links(home)]

    telegram, missing = telegram_for(shell, secrets, clock, links)
    if missing:
        tell(missing)
    found += [*telegram, Page(home, settings, token=secrets.page_token, links=links)]
    return found
