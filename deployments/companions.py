"""What runs beside the trading loop of a home: the companions that `brain shell` starts, in this order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deployments.links import stored_links
from deployments.telegram import telegram_for
from shell.clock import Clock, SystemClock
from shell.companion import Companion, LinkHealth
from shell.config import Settings
from shell.control.server import ControlApi
from shell.page.links import exchange_health
from shell.page.server import Page
from shell.secrets import load_secrets
from shell.service import Shell
from shell.watchdog import Watchdog


def companions_of(
    shell: Shell, clock: Clock, market: Callable[[], Mapping[str, Any]]
) -> tuple[list[Companion], list[str]]:
    """The control API first: it is how anybody else reaches the shell. And a sentence for each one that is left out.

    `market` tells how the link to the exchange stands. Raises BadInput for a `.env` that cannot be read.
    """
    secrets = load_secrets(os.environ, shell.home.env_file)
    made: list[Companion] = []

    def links() -> Sequence[LinkHealth]:
        return (*exchange_health(market()), *stored_links(shell.home), *(each.health() for each in made))

    bot, left_out = telegram_for(shell, secrets, clock, links)
    made += [
        ControlApi(shell.home.control_socket, shell.config.control, secrets.control_token),
        # By the machine's clock, whatever time a simulated market has: others compare its beat with theirs.
        Watchdog(shell.home, SystemClock()),
        *([Page(shell.home, _page_of(shell), token=secrets.page_token, links=links)] if shell.config.page.enabled else []),
        *bot,
    ]
    return made, [left_out] if left_out else []


def _page_of(shell: Shell) -> Settings:
    """The port of the settings is the project's: a home beside it takes any free one, which `brain status` tells."""
    home, config = shell.home, shell.config
    if home.config.parent == home.root:
        return config
    return config.model_copy(update={"page": config.page.model_copy(update={"port": 0})})
