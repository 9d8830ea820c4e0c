"""Runs that a person asked the shell for, such as `/orchestrate` in Telegram: taken up once, started, or told of."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from deployments.prefect_api import PrefectApi
from deployments.supervisor.deployed_run import start
from shell.errors import BrainError

FLOW = "orchestrate"


class Asked(Protocol):
    """The part of the shell's client that is needed here."""

    def take_request(self, flow: str, now: datetime) -> str: ...

    def notify(self, kind: str, severity: str, text: str, now: datetime) -> None: ...


def start_requested(shell: Asked, api: PrefectApi, now: datetime) -> str:
    """Start the night's work if somebody asked for it; a sentence about what was done, "" when nobody did.

    A shell that does not answer is asked again the next time. A run that Prefect does not take is told of, because its
    request is gone.
    """
    try:
        by = shell.take_request(FLOW, now)
    except BrainError:
        return ""
    if not by:
        return ""
    try:
        start(api, FLOW, {})
    except BrainError as error:
        told = f"the night's work that {by} asked for could not be started: {error}"
        shell.notify("link", "warning", told, now)
        return told
    return f"the night's work was started, as {by} asked"
