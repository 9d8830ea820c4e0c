"""Putting the bot together for `brain shell`: its token, the links it tells of, a report written in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from shell.clock import Clock
from shell.companion import Companion, LinkHealth
from shell.errors import Rejected
from shell.home import Home
from shell.secrets import SECRET_NAMES, Secrets
from shell.service import Shell

REPORT_SECONDS = 300.0
_WRITE = """
import sys
from pathlib import Path
from deployments.reporting import write_stored_report
from shell.home import Home

folder = Path(sys.argv[1])
print(write_stored_report(Home.project(folder) if sys.argv[2] == "project" else Home.private(folder)))
"""


def telegram_for(
    shell: Shell, secrets: Secrets, clock: Clock, links: Callable[[], Sequence[LinkHealth]]
) -> tuple[list[Companion], str]:
    """The bot as a list of one companion, or none and the sentence that says what is missing: then the log is the channel."""
    if secrets.telegram_bot_token is None:
        return [], "Telegram is off: set TELEGRAM_BOT_TOKEN in .env and [telegram] owner_ids in config/settings.toml"
    if not shell.config.telegram.owner_ids:
        return [], "Telegram is off: [telegram] owner_ids in config/settings.toml names nobody who may command"
    from shell.telegram.companion import Telegram

    bot = Telegram(
        home=shell.home, settings=shell.config, token=secrets.telegram_bot_token, clock=clock, notices=shell.notices,
        links=links, report=partial(write_report_apart, shell.home),
    )
    return [bot], ""


def write_report_apart(home: Home) -> Path:
    """Write the home's report in another process, so that trading never shares its interpreter with a backtest.

    It gets no secret. Raises Rejected with its last words when it fails or takes longer than `REPORT_SECONDS`.
    """
    kind = "project" if home == Home.project(home.root) else "private"
    environ = {name: value for name, value in os.environ.items() if name not in SECRET_NAMES}
    command = [sys.executable, "-c", _WRITE, str(home.root), kind]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=REPORT_SECONDS, env=environ, check=False)
    except subprocess.TimeoutExpired:
        raise Rejected(f"the report was not finished within {REPORT_SECONDS:.0f} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Rejected(f"the report could not be written: {last.rpartition('Error: ')[2]}")
    return Path(done.stdout.strip().splitlines()[-1])
