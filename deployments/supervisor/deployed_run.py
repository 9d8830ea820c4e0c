"""One run of a deployed flow through a running Prefect: started, its log followed, its end and its answer read."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.prefect_api import PrefectApi, call
from flows.hooks import AD_HOC
from shell.clock import monotonic
from shell.errors import NotNow, Rejected, Transient, UsageError

POLL_SECONDS = 0.5
LOGS_AT_ONCE = 200
# The answer and the last lines of the log are handed in a moment after the run's end.
SETTLE_SECONDS = 8.0
OUTAGE_SECONDS_MAX = 60.0
ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
# A candidate's run that waits for its trial or for a person: it goes on for days, and whoever asked for it need not.
SUSPENDED = "PAUSED"
GOOD = frozenset({"COMPLETED", SUSPENDED})
# What Prefect says of itself at every run, and nobody who waits for a result wants to read.
OF_ITSELF = re.compile(
    r"Worker '.*' submitting |Flow run '.*' submitted |Running \d+ deployment |Executing deployment step|Deployment step '"
    r"|All deployment steps|Running hook '|Hook '"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedRun:
    """A run that has ended, or suspended itself. `answer` is what it returned, as JSON values; None where it gave none."""

    run_id: str
    name: str
    state: str
    message: str
    link: str
    answer: Any


def start(api: PrefectApi, flow: str, parameters: Mapping[str, str]) -> str:
    """Ask for a run of `flow` now; its id. Raises UsageError for parameters the flow does not take."""
    deployment = call(api, "GET", f"/deployments/name/{flow}/{flow}", None)
    schema = deployment["parameter_openapi_schema"]["properties"]
    unknown = sorted(set(parameters) - set(schema))
    if unknown:
        raise UsageError(f"flow {flow} has no parameter {', '.join(unknown)}; it has {', '.join(schema)}")
    values = {name: _value(text, schema[name]) for name, text in parameters.items()}
    body = {"parameters": values, "tags": [*deployment["tags"], AD_HOC], "state": {"type": "SCHEDULED"}}
    run = call(api, "POST", f"/deployments/{deployment['id']}/create_flow_run", body)
    return str(run["id"])


def follow(api: PrefectApi, ui: str, run_id: str, tell: Callable[[str], None]) -> DeployedRun:
    """Tell its log line by line until the run has ended or suspended itself. Raises NotNow when Prefect is gone for a minute:
    the run goes on."""
    shown: set[str] = set()
    reached = monotonic()
    ended_at = 0.0
    while True:
        try:
            run = call(api, "GET", f"/flow_runs/{run_id}", None)
            for line in _new_lines(api, run_id, shown):
                tell(line)
            reached = monotonic()
        except Transient as error:
            if monotonic() - reached > OUTAGE_SECONDS_MAX:
                raise NotNow(f"{error}; the run goes on without us: `brain status`, or look at it later") from None
            time.sleep(POLL_SECONDS)
            continue
        if run["state_type"] in ENDED or run["state_type"] == SUSPENDED:
            ended_at = ended_at or monotonic()
            answer = _answer(api, run_id)
            settled = monotonic() - ended_at > SETTLE_SECONDS
            if answer is not None or run["state_type"] not in GOOD or settled:
                return DeployedRun(
                    run_id=run_id, name=run["name"], state=run["state_type"], message=run["state"]["message"] or "",
                    link=f"{ui}/runs/flow-run/{run_id}", answer=answer,
                )
        time.sleep(POLL_SECONDS)


def require_completed(run: DeployedRun) -> None:
    """Raises Rejected, with what Prefect was told, for a run that neither completed nor suspended itself."""
    if run.state not in GOOD:
        raise Rejected(f"{run.name} ended as {run.state.lower()}: {run.message or 'no reason given'} ({run.link})")


def _new_lines(api: PrefectApi, run_id: str, shown: set[str]) -> Iterator[str]:
    """Lines of the run's log that were not there before, oldest first."""
    query = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_DESC", "limit": LOGS_AT_ONCE}
    for line in reversed(call(api, "POST", "/logs/filter", query)):
        if line["id"] not in shown:
            shown.add(line["id"])
            if OF_ITSELF.match(line["message"]):
                continue
            yield f"{line['timestamp'][11:19]} {line['message']}"


def _answer(api: PrefectApi, run_id: str) -> Any:
    query = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "type": {"any_": ["markdown"]}}, "sort": "CREATED_DESC"}
    for artifact in call(api, "POST", "/artifacts/filter", query):
        text = str(artifact["data"] or "")
        if artifact["key"] is None and text.startswith("```json"):
            return json.loads(text.removeprefix("```json").removesuffix("```"))
    return None


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    """A parameter typed by a person, in the form its schema wants; what it does not know stays text."""
    kinds = {each.get("type") for each in schema.get("anyOf", [schema])}
    if kinds & {"integer", "number", "boolean"} and "string" not in kinds:
        try:
            return json.loads(text.lower())
        except ValueError:
            return text
    return text
