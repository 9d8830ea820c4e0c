"""Parity: what the main book did since the last comparison, beside a second run of it over the same bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prefect import task

from tasks.context import client
from tasks.policy import WRITE


@task(name="check parity", description="The main book beside a second run of it over the same bars.", **WRITE)
async def check_parity(now: datetime) -> Mapping[str, Any]:
    return client().parity(now)


def difference_rows(compared: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every difference as a table row."""
    return [
        {
            "scan": str(each["slot"]), "only main": "; ".join(each["only_main"]),
            "only second run": "; ".join(each["only_replay"]), "why": str(each["reason"]),
        }
        for each in compared["differences"]
    ]
