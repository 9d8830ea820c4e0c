"""A candidate's page in Prefect: where it stands, what its stages said, and a link to every run that worked on it."""

from __future__ import annotations

from collections.abc import Iterable

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.utilities.urls import url_for

from shell.trials.candidate import Candidate
from tasks.context import client
from tasks.wording import cell, one_line

RUNS_MAX = 20


def page_key(candidate_id: str) -> str:
    """The artifact's key: one page a candidate, one version of it for each step."""
    return f"candidate-{candidate_id}"


def page_links(candidate_ids: Iterable[str | None]) -> str:
    """Links to the pages of these candidates, as the last lines of a night's report; nothing without any."""
    lines = [f"- [{name}](/artifacts/key/{page_key(name)})" for name in dict.fromkeys(candidate_ids) if name]
    return "\n".join(["", "", "Candidates and their runs:", "", *lines]) if lines else ""


async def show_page(candidate_id: str) -> None:
    """Write the page anew."""
    candidate = client().candidate(candidate_id)
    async with get_client() as prefect:
        runs = await prefect.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[candidate_id])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=RUNS_MAX,
        )
    await acreate_markdown_artifact(
        page_text(candidate, [(run.name, _link(run)) for run in runs]), key=page_key(candidate_id),
        description=f"{candidate_id}: {candidate.verdict.value} at {candidate.stage.value}",
    )


def page_text(candidate: Candidate, runs: list[tuple[str, str]]) -> str:
    """The page in markdown. What a model or a stranger wrote is made harmless."""
    lines = [
        f"## {candidate.candidate_id}: {candidate.verdict.value} at {candidate.stage.value}", "",
        f"{cell(candidate.proposal.hypothesis)}", "",
        f"Proposed {candidate.proposed_at:%Y-%m-%d %H:%M} UTC by {cell(candidate.proposal.provider)}, after "
        f"{cell(candidate.proposal.parent_version)}. `brain strategy show {candidate.candidate_id}` shows its code.", "",
        "| stage | passed | why |", "| --- | --- | --- |",
        *(
            f"| {stage.stage.value} | {'yes' if stage.passed else 'no'} | {cell('; '.join(stage.reasons))} |"
            for stage in candidate.stages
        ),
        "", "Runs that worked on it:", "",
        *(f"- [{cell(one_line(name))}]({link})" if link else f"- {cell(one_line(name))}" for name, link in runs),
    ]
    return "\n".join(lines)


def _link(run: FlowRun) -> str:
    return url_for("flow-run", obj_id=run.id) or ""
