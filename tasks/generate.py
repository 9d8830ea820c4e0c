"""Generate: a provider proposes, or a person's file is taken, and it becomes a registered candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prefect import task

from shell.errors import Rejected
from shell.trials.candidate import Candidate, Proposal, Stage, StageResult, blind, source_hash
from tasks.ai.provider import ProposalContext, Proposed, Provider
from tasks.ai.registry import Providers, generate_place, providers_for
from tasks.client import ShellClient
from tasks.context import client
from tasks.night import Work, WorkItem, night_of, night_seed
from tasks.policy import WRITE
from tasks.search import SearchBench


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What generating came to. `candidate_id` is None when there was nothing worth a candidate; `reason` says why."""

    candidate_id: str | None
    reason: str
    looks: int = 0


class Generation:
    """One candidate's provider and bench, kept between a proposal and its revisions. Without a `provider` it is the one
    `asked` for, else the one the settings name; `recorded` answers in its place."""

    def __init__(
        self, shell: ShellClient, item: WorkItem, now: datetime, seed: int, provider: Provider | None = None,
        asked: str = "", recorded: Providers | None = None,
    ) -> None:
        self._shell, self._item, self._now = shell, item, now
        self._seed = night_seed(seed, night_of(now), item.ordinal)
        self._bench: SearchBench | None = None
        self._provider = provider
        self._providers = recorded or providers_for(shell, now, asked, self._seed)
        self._note = ""

    def generate(self) -> Generated:
        """Propose, register, and record the GENERATE stage."""
        if self._item.work is Work.SUBMISSION:
            self._provider = None
            waiting = self._shell.submissions()
            if not waiting:
                return Generated(candidate_id=None, reason="the submitted file was withdrawn")
            return self._register(Proposed(proposal=waiting[0], reason="a person's file, next in line"))
        if self._provider is None:
            self._provider, self._note = self._providers(generate_place(self._item.ordinal))
        self._bench = SearchBench(self._shell, self._now)
        return self._register(self._provider.propose(self._context()))

    def revise(self, refused: Proposal, findings: Sequence[str]) -> Generated:
        """Another proposal after a review's findings. A person's file is theirs to revise, so there is none for it."""
        if self._provider is None:
            return Generated(candidate_id=None, reason="nobody is there to revise it: it was submitted, or resumed")
        return self._register(self._provider.revise(self._context(), refused, findings))

    def _register(self, proposed: Proposed) -> Generated:
        reason = f"{proposed.reason}; {self._note}" if self._note else proposed.reason
        looks = self._bench.looks if self._bench else 0
        if proposed.proposal is None:
            return Generated(candidate_id=None, reason=reason, looks=looks)
        try:
            candidate = self._shell.register_candidate(proposed.proposal, self._now)
        except Rejected as refusal:
            return Generated(candidate_id=None, reason=str(refusal), looks=looks)
        self._shell.record_stage(candidate.candidate_id, _stage(proposed, reason, looks, self._bench), self._now)
        return Generated(candidate_id=candidate.candidate_id, reason=reason, looks=looks)

    def _context(self) -> ProposalContext:
        assert self._bench is not None, "a search has a bench"
        settings = self._shell.settings()
        active = self._shell.active_strategy()
        candidates = [blind(candidate) for candidate in self._shell.candidates()]
        known = {version.hash for version in self._shell.strategy_index()}
        return ProposalContext(
            night=night_of(self._now), ordinal=self._item.ordinal, seed=self._seed, active=active,
            candidates=candidates, tried=frozenset({active.hash, *known, *_hashes(candidates)}),
            evaluations_max=settings.orchestrator.search_evaluations, risk=settings.risk,
            window=self._bench.window, look=self._bench.look, look_many=self._bench.look_many,
            ours=self._bench.ours, figures=self._bench.figures,
        )


@task(
    name="generate", description="Search for a candidate, or take a submitted file, and register it.", **WRITE,
)
async def generate(generation: Generation) -> Generated:
    return generation.generate()


@task(name="revise", description="The next proposal after a review found faults.", **WRITE)
async def revise(generation: Generation, candidate_id: str, findings: Sequence[str]) -> Generated:
    return generation.revise(client().candidate(candidate_id).proposal, findings)


def _hashes(candidates: Sequence[Candidate]) -> set[str]:
    return {candidate.source_hash for candidate in candidates}


def _stage(proposed: Proposed, reason: str, looks: int, bench: SearchBench | None) -> StageResult:
    proposal = proposed.proposal
    assert proposal is not None, "only a proposal becomes a stage"
    inputs: dict[str, Any] = {
        "provider": proposal.provider, "seed": proposal.seed, "parent": proposal.parent_version,
        "source_hash": source_hash(proposal.source), "looks": looks,
        "window": bench.window if bench else "",
        "evaluations": [dict(evaluation) for evaluation in proposed.evaluations],
    }
    return StageResult(stage=Stage.GENERATE, passed=True, reasons=(reason,), inputs=inputs)
