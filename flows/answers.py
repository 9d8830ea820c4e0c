"""What a run returned, kept as an artifact of it: the only way out of its process for whoever waits for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.sorting import ArtifactSort
from pydantic_core import to_json

FENCE, END = "```json\n", "\n```"


async def keep(answer: Any, run_id: UUID, name: str) -> None:
    """Keep `answer` as JSON beside the run."""
    text = to_json(answer, serialize_unknown=True, indent=2).decode()
    kept = ArtifactCreate(
        type="markdown", data=f"{FENCE}{text}{END}", flow_run_id=run_id, description=f"What {name} returned"
    )
    async with get_client() as prefect:
        await prefect.create_artifact(kept)


async def kept(run_id: UUID) -> str | None:
    """The newest answer of a run, as JSON; None where it kept none."""
    async with get_client() as prefect:
        found = await prefect.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id])), sort=ArtifactSort.CREATED_DESC
        )
    for artifact in found:
        text = artifact.data if isinstance(artifact.data, str) else ""
        if artifact.key is None and text.startswith(FENCE):
            return text.removeprefix(FENCE).removesuffix(END)
    return None
