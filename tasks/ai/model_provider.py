"""A provider made of models: one that judges the night, one that writes code, one that reads it. `local` stands in for each.

What a role cannot have from a model (no money, no answer, no use) it has from the rules, and says so in the night's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shell.config_ai import LOCAL, AiConfig
from shell.model_calls import Tier
from shell.trials.candidate import Proposal
from tasks.ai.asking import FAILURES, Asking
from tasks.ai.author import Author
from tasks.ai.budget import Purse
from tasks.ai.dialogue import CallFailed, Role
from tasks.ai.local import LocalProvider
from tasks.ai.provider import Advice, ProposalContext, Proposed, Provider, ReviewCase
from tasks.ai.replies import METRICS, OPINION_SCHEMA, PLAN_SCHEMA, Opinion, Plan, read_opinion, read_plan
from tasks.ai.reviewer import review_slot, shown_case
from tasks.ai.sections import Section

PLAN_SLOT = "decide"


class ModelProvider:
    """`plan` is the night's plan where it is known already, for an author that works in a run of its own."""

    def __init__(
        self, *, purse: Purse, ai: AiConfig, tier: Tier, plan: Plan | None = None, local: Provider | None = None
    ) -> None:
        self.name = purse.name
        self._purse, self._ai, self._tier = purse, ai, tier
        self._local = local or LocalProvider()
        self._author: Author | None = None
        self._plan = plan

    def advise(self, briefing: Mapping[str, Section]) -> Advice:
        """Whether the night is for a change, and which. Asked once a night."""
        asking = self._asking(Role.ANALYSE)
        if asking is None:
            return Advice()
        given = {**briefing, "metrics": ", ".join(METRICS)}
        try:
            plan = asking.answer(PLAN_SLOT, "analyse", given, read_plan, PLAN_SCHEMA)
        except FAILURES as failure:
            told = f"{self.name} did not judge the night ({failure}): the rules alone decided"
            return Advice(note=told, unheard=isinstance(failure, CallFailed))
        return Advice(plan=plan)

    def propose(self, context: ProposalContext) -> Proposed:
        """A candidate by the model that writes code; by the search where that cannot be had."""
        asking = self._asking(Role.GENERATE)
        if asking is None:
            return self._local.propose(context)
        self._author = Author(asking, self._plan, revises=self._tier is Tier.FULL)
        try:
            return self._author.propose(context)
        except FAILURES as failure:
            self._author = None
            found = self._local.propose(context)
            note = f"{self.name} wrote nothing ({failure}): local searched instead"
            return Proposed(proposal=found.proposal, reason=f"{found.reason}; {note}", evaluations=found.evaluations)

    def revise(self, context: ProposalContext, refused: Proposal, findings: Sequence[str]) -> Proposed:
        """By whoever proposed it; an author that cannot be paid or reached leaves it at the refusal."""
        if self._author is None:
            return self._local.revise(context, refused, findings)
        try:
            return self._author.revise(context, refused, findings)
        except FAILURES as failure:
            return Proposed(proposal=None, reason=f"{self.name} did not revise it: {failure}")

    def review(self, case: ReviewCase) -> Opinion:
        """What a model objects to in the code. Without one there is no objection, and the rules stand alone."""
        asking = self._asking(Role.REVIEW)
        if asking is None:
            return Opinion()
        try:
            given = shown_case(case)
            opinion = asking.answer(review_slot(case), "review", given, read_opinion, OPINION_SCHEMA)
        except FAILURES as failure:
            return Opinion(note=f"no model read it ({failure}): the rules alone did")
        return Opinion(
            change=opinion.change, objections=opinion.objections, summary=opinion.summary, note=f"read by {asking.model}"
        )

    def _asking(self, role: Role) -> Asking | None:
        """How a role asks; None where it is left to the rules, by the settings or by what is left of the month's money."""
        model, tokens = {
            Role.ANALYSE: (self._ai.analyse_model, self._ai.analyse_tokens_max),
            Role.GENERATE: (self._ai.generate_model, self._ai.generate_tokens_max),
            Role.REVIEW: (self._ai.review_model, self._ai.review_tokens_max),
        }[role]
        if model == LOCAL or self._tier is Tier.LOCAL:
            return None
        if self._tier is Tier.THRIFTY and self._ai.generate_model != LOCAL:
            model = self._ai.generate_model
        return Asking(purse=self._purse, role=role, model=model, output_tokens_max=tokens)
