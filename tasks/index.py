"""The strategy index: every version there is, and the one that is active."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task

from tasks.client import VersionRow
from tasks.context import client
from tasks.policy import READ


@task(name="read strategy index", description="Every version, its parent and its state.", **READ)
async def read_index() -> Sequence[VersionRow]:
    return client().strategy_index()


@task(name="read active version", description="The version that trades.", **READ)
async def read_active() -> str:
    return client().active_strategy().version
