"""Notify: one message a night into the shell's outbox, and a warning when its models were out of reach."""

from __future__ import annotations

from prefect import task

from tasks.client import ShellClient
from tasks.context import client
from tasks.night import NightRecord
from tasks.policy import WRITE
from tasks.report import headline


def send_headline(shell: ShellClient, record: NightRecord) -> str:
    text = headline(record)
    shell.notify("night", "info", text, record.at)
    if record.decision.unheard:
        told = f"No model could be asked in the night of {record.night}, the rules alone decided: {record.decision.unheard}"
        shell.notify("models", "warning", told, record.at, f"models {record.night}")
    return text


@task(name="notify", description="One message about the night.", **WRITE)
async def notify_night(record: NightRecord) -> str:
    return send_headline(client(), record)
