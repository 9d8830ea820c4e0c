"""The trial ledger as Vertex experiments: one run a counted trial, one registered model a promoted version.

A copy for people who look at their experiments there. Nothing reads it back, and nothing in it decides anything. What is sent
is in `runs_of` and `champions_of`: figures of the selection segment, never the vault's, never code, balances or keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shell.answers import Promotion, VersionRow
from shell.config_ai import OFF, VertexConfig
from shell.errors import NotNow
from shell.trials.candidate import Candidate, TrialScore, Verdict
from tasks.ai.connect import ModelAccess, checked_address

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

TEXT_MAX = 300
_NOT_A_LABEL = re.compile(r"[^a-z0-9_-]+")
_UNNAMEABLE = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One trial: `name` is the candidate's id."""

    name: str
    params: Mapping[str, str | int]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """One version that became active through the gate."""

    name: str
    description: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did. A trial or version that is there as it stands is left alone and counted as `unchanged`."""

    experiment: str
    created: tuple[str, ...]
    updated: tuple[str, ...]
    registered: tuple[str, ...]
    unchanged: int

    @property
    def sentence(self) -> str:
        """The export for people."""
        return (
            f"experiment {self.experiment}: {len(self.created)} trials new, {len(self.updated)} changed, "
            f"{len(self.registered)} versions registered, {self.unchanged} as they were"
        )


def runs_of(candidates: Sequence[Candidate], scores: Sequence[TrialScore]) -> list[Run]:
    """A run for every counted trial, in the ledger's order; the newest score of a candidate counts."""
    scored = {score.candidate_id: score for score in scores}
    return [_run(each, scored[each.candidate_id]) for each in candidates if each.candidate_id in scored]


def champions_of(versions: Sequence[VersionRow], promotions: Sequence[Promotion], experiment: str) -> list[Champion]:
    """Versions that a candidate became, once each."""
    came_of = {each.version: each.candidate_id for each in promotions if each.candidate_id}
    return [
        Champion(
            name=f"{experiment}-{_UNNAMEABLE.sub('-', row.version.lower())}", description=_text(row.hypothesis),
            labels={"candidate": _label(came_of[row.version]), "parent": _label(row.parent), "hash": _label(row.hash)},
        )
        for row in versions if row.version in came_of
    ]


def export(runs: Sequence[Run], champions: Sequence[Champion], config: VertexConfig, access: ModelAccess) -> Exported:
    """Bring experiment and registry up to date. Raises NotNow where it may not, cannot or did not; what was sent until then
    stays, and a second export goes on from there."""
    if config.export == OFF:
        raise NotNow('nothing is exported: [ai.vertex] export is "off" in config/settings.toml')
    if not config.project_id:
        raise NotNow("the export needs the Google Cloud project: [ai.vertex] project_id in config/settings.toml")
    with _session(config, access) as vertex:
        created, updated = [], []
        for run in runs:
            done = _written(vertex, config.experiment, run)
            created += [run.name] if done == "created" else []
            updated += [run.name] if done == "updated" else []
        registered = [each.name for each in champions if _registered(vertex, each)]
    return Exported(
        experiment=config.experiment, created=tuple(created), updated=tuple(updated), registered=tuple(registered),
        unchanged=len(runs) + len(champions) - len(created) - len(updated) - len(registered),
    )


# -- inside -----------------------------------------------------------------------------------------------------------


@contextmanager
def _session(config: VertexConfig, access: ModelAccess) -> Iterator[Any]:
    """The SDK, pointed at the project. Its failures, of whatever kind, become sentences."""
    try:
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import aiplatform
        from requests.exceptions import RequestException
    except ImportError:
        raise NotNow("the export needs google-cloud-aiplatform: install the extra `vertex`") from None
    address = checked_address(config.api_endpoint) if config.api_endpoint else None
    try:
        aiplatform.init(
            project=config.project_id, location=config.region, experiment=config.experiment, experiment_tensorboard=False,
            api_endpoint=address, api_transport="rest", credentials=_credentials(access),
        )
        yield aiplatform
    except (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, ValueError, RuntimeError) as error:
        # The SDK raises the last two for an experiment of that name that is something else, and for a project it cannot read.
        raise NotNow(f"Vertex did not take the export: {_text(str(error))}") from error


def _credentials(access: ModelAccess) -> Credentials | None:
    """A token that was given, else whatever Google finds on this machine."""
    if access.vertex_token is None:
        return None
    from google.oauth2.credentials import Credentials

    found: Credentials = Credentials(token=access.vertex_token.reveal())  # type: ignore[no-untyped-call]
    return found


def _written(vertex: Any, experiment: str, run: Run) -> str:
    from google.api_core.exceptions import NotFound

    try:
        kept = vertex.ExperimentRun(run.name, experiment=experiment)
        done = "updated"
        if kept.get_params() == dict(run.params) and kept.get_metrics() == dict(run.metrics):
            return "unchanged"
    except NotFound:
        kept = vertex.ExperimentRun.create(run.name, experiment=experiment)
        done = "created"
    kept.log_params(dict(run.params))
    kept.log_metrics(dict(run.metrics))
    kept.end_run()
    return done


def _registered(vertex: Any, champion: Champion) -> bool:
    """True when it was not there yet."""
    from google.api_core.exceptions import NotFound

    try:
        vertex.Model(model_name=champion.name)
    except NotFound:
        vertex.Model.upload(
            model_id=champion.name, display_name=champion.name, description=champion.description, labels=dict(champion.labels)
        )
        return True
    return False


def _run(candidate: Candidate, score: TrialScore) -> Run:
    proposal = candidate.proposal
    return Run(
        name=_UNNAMEABLE.sub("-", candidate.candidate_id.lower()),
        params={
            "provider": proposal.provider, "parent": proposal.parent_version, "hypothesis": _text(proposal.hypothesis),
            "change_class": candidate.change_class.value if candidate.change_class else "",
            # Why is not told: the reasons of a gate hold what the vault showed.
            "verdict": "pending" if candidate.verdict is Verdict.PENDING else candidate.verdict.value,
            "source_hash": candidate.source_hash, "data_hash": score.data_hash,
            "proposed_at": candidate.proposed_at.isoformat(), "scored_at": score.scored_at.isoformat(),
        },
        metrics={
            "daily_sharpe": float(score.sharpe), "total_return_pct": float(score.total_return_pct),
            "trades": float(score.trades), "days": float(len(score.daily_returns)),
        },
    )


def _text(text: str) -> str:
    return " ".join(text.split())[:TEXT_MAX]


def _label(text: str) -> str:
    return _NOT_A_LABEL.sub("-", text.lower())[:63]
