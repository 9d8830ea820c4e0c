"""Quarterly distillation of the strategy document: the quarter's notes become one line, its year a summary in the archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from flows.run import FLOW, Moment, moment, named
from tasks.document import distil_document


@flow(
    name="distill", flow_run_name=named("distill", "%Y-%m-%d"), **FLOW,
    description="Quarterly distillation of the strategy document: notes become one line, principles stay.",
)
async def distill(now: Moment = None) -> Mapping[str, Any]:
    """Distil the quarter before `now`. Safe to repeat; changes nothing when nothing happened in it.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
    """
    done = await distil_document(moment(now))
    lines = "\n".join(f"- {name}: {value}" for name, value in done.items())
    await acreate_markdown_artifact(lines, key="distillation", description="What was distilled")
    return done
