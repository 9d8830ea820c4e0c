"""The author: a model writes the files, the search segment says whether they are worth a trial, one mend at most.

What it writes is text and stays text: it becomes the `code` and `skills` of a proposal, and every wall that stands before a
person's file stands before it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import shell.contract
import shell.indicators.newest
import shell.indicators.series
from shell.host.allowed import STANDARD_MODULES
from shell.host.policy import check_policy
from shell.host.port import StrategySource
from shell.syntax import parse_source
from shell.trials.candidate import Candidate, Proposal, Stage, source_hash
from tasks.ai import briefing
from tasks.ai.archive import SAME_BEHAVIOUR, alike
from tasks.ai.asking import Asking
from tasks.ai.local import charged_returns
from tasks.ai.provider import WHOLE, ProposalContext, Proposed, SearchScore
from tasks.ai.replies import Manuscript, Plan, read_manuscript
from tasks.ai.sections import Section, Writer

FAMILY = "model"
RETURN_DECIMALS = 8
FINDINGS_SHOWN = 12
_SKILLS = "strategy.skills"


class Author:
    """One candidate's author. `revises` is false when the month's money is short."""

    def __init__(self, asking: Asking, plan: Plan | None, *, revises: bool) -> None:
        self._asking, self._plan, self._revises = asking, plan, revises
        self._round = 0
        self._baseline: SearchScore | None = None
        self._seen: list[Mapping[str, Any]] = []

    def propose(self, context: ProposalContext) -> Proposed:
        """Write, look, mend once where it broke or did worse than what runs. Raises one of FAILURES."""
        self._baseline = context.look(context.active.source)
        written = self._asking.answer(self._slot(context), "generate", self._order(context), read_manuscript)
        source = sourced(written, context.active.source)
        objection = self._looked(context, source)
        if objection and self._revises and source_hash(source) not in context.tried:
            written = self._mended(context, source, written.hypothesis, [objection])
            source = sourced(written, context.active.source)
            objection = self._looked(context, source)
        return self._answer(context, written, source, objection)

    def revise(self, context: ProposalContext, refused: Proposal, findings: Sequence[str]) -> Proposed:
        """Another file after a review's objections. Raises one of FAILURES."""
        if not self._revises:
            return Proposed(proposal=None, reason="the month's money is short: no model revises what a review refused")
        if self._baseline is None:
            self._baseline = context.look(context.active.source)
        written = self._mended(context, refused.source, refused.hypothesis, findings)
        source = sourced(written, context.active.source)
        return self._answer(context, written, source, self._looked(context, source))

    def _answer(self, context: ProposalContext, written: Manuscript, source: StrategySource, objection: str) -> Proposed:
        kept = tuple(self._seen)
        if objection:
            return Proposed(proposal=None, reason=f"{objection}: no selection trial was spent", evaluations=kept)
        proposal = Proposal(
            source=source, parent_version=context.active.version, hypothesis=written.hypothesis,
            provider=self._asking.purse.name, seed=context.seed, searched=len(kept),
            parameters={"family": FAMILY, "model": self._asking.model},
        )
        return Proposed(proposal=proposal, evaluations=kept, reason=f"written by {self._asking.model}")

    def _looked(self, context: ProposalContext, source: StrategySource) -> str:
        """What speaks against spending a trial on it; "" when nothing does, or when the policy has not let it run yet."""
        if source_hash(source) in context.tried:
            return "it is a program that was there before"
        if check_policy(source):
            # The review says so, with every line, and the author may mend it.
            return ""
        score = context.look(source)
        self._seen.append(_stored(context.window, source, score))
        assert self._baseline is not None, "what runs now was looked at first"
        if score.fault:
            return f"it broke on the training segment: {score.fault}"
        charged = charged_returns(replace(context, candidates=[each for each in context.candidates if _charged(each)]))
        if any(alike(score.returns, known) for known in (self._baseline.returns, *charged)):
            return (
                "on the training segment it behaves like what runs now, or like a candidate tried before "
                f"(daily returns correlated {SAME_BEHAVIOUR:g} or more)"
            )
        if score.value <= self._baseline.value:
            return (
                f"on the training segment it scored {briefing.rounded(score.value)} with {score.trades} trades, what runs now "
                f"{briefing.rounded(self._baseline.value)} with {self._baseline.trades}"
            )
        return ""

    def _mended(
        self, context: ProposalContext, source: StrategySource, hypothesis: str, findings: Sequence[str]
    ) -> Manuscript:
        given = {
            "contract": contract_text(), "modules": modules_text(),
            "hypothesis": Section(name="hypothesis", writer=Writer.MODELS, text=hypothesis, chars_max=2_000),
            "strategy": briefing.strategy_code(source, "your refused file"), "skills": briefing.skills_code(source),
            "findings": briefing.objections(list(findings)[:FINDINGS_SHOWN]),
        }
        return self._asking.answer(self._slot(context), "revise", given, read_manuscript)

    def _order(self, context: ProposalContext) -> dict[str, object]:
        active = context.active.source
        plan = self._plan
        wanted = f"{plan.kind}: {plan.direction}\nReason: {plan.hypothesis}" if plan and plan.change else (
            "a change of your choice that has a reason to work"
        )
        score = self._baseline
        assert score is not None, "what runs now was looked at first"
        result = (
            f"daily Sharpe ratio {briefing.rounded(score.daily_sharpe)}, return {briefing.rounded(score.total_return_pct)}, "
            f"{score.trades} trades, mean holding {briefing.rounded(score.holding_hours)} hours, turnover a day "
            f"{briefing.rounded(score.turnover)} of the account, correlation with holding all coins "
            f"{briefing.rounded(score.market_correlation)}"
        )
        return {
            "contract": contract_text(), "indicators": indicators_text(), "modules": modules_text(),
            "plan": Section(name="what the analyst asks for", writer=Writer.MODELS, text=wanted, chars_max=5_000),
            "strategy": briefing.strategy_code(active), "skills": briefing.skills_code(active),
            "search_result": Section(name="what runs now, on the training segment", writer=Writer.MARKET, text=result),
            "market": briefing.market(context.figures()), "candidates": briefing.candidates_tried(context.candidates),
            "constraints": Section(
                name="constraints", writer=Writer.SHELL, text="\n".join(briefing.limits(context.risk)), chars_max=4_000
            ),
        }

    def _slot(self, context: ProposalContext) -> str:
        slot = f"generate:{context.ordinal}:{self._round}"
        self._round += 1
        return slot


def sourced(written: Manuscript, active: StrategySource) -> StrategySource:
    """A manuscript as a version: its own skills before the active version's, and only those that are imported."""
    known = {**active.skills, **written.skills}
    wanted, taken = _skills_imported(written.code), dict[str, str]()
    while wanted:
        name = wanted.pop()
        if name in known and name not in taken:
            taken[name] = known[name]
            wanted |= _skills_imported(known[name]) - taken.keys()
    return StrategySource(code=written.code, skills=dict(sorted(taken.items())))


def _skills_imported(code: str) -> set[str]:
    """Skills a text imports; none for one that does not parse, which the review reports."""
    try:
        tree = parse_source(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == _SKILLS:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_SKILLS}."):
            found.add((node.module or "").split(".")[2])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[2] for alias in node.names if alias.name.startswith(f"{_SKILLS}.")}
    return found


@cache
def contract_text() -> str:
    """The contract itself, so that what a model is told cannot drift from what is enforced."""
    return inspect.getsource(shell.contract)


@cache
def indicators_text() -> str:
    """Signature and first sentence of every indicator a strategy may import."""
    lines = []
    for name in shell.indicators.__all__:
        value = getattr(shell.indicators, name)
        if inspect.isfunction(value) and not name.endswith("_of"):
            summary = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
            lines.append(f"{name}{inspect.signature(value)}: {summary}")
    return "\n".join(lines)


@cache
def modules_text() -> str:
    return ", ".join(sorted(STANDARD_MODULES))


def _charged(candidate: Candidate) -> bool:
    """False for one that a review refused: no trial was spent on it, and its revision may well behave the same."""
    return not any(stage.stage is Stage.REVIEW and not stage.passed for stage in candidate.stages)


def _stored(window: str, source: StrategySource, score: SearchScore) -> Mapping[str, Any]:
    """A look as the ledger keeps it, in the shape the local search keeps its own."""
    values = asdict(score)
    values["returns"] = [round(each, RETURN_DECIMALS) for each in score.returns]
    return {
        "key": FAMILY, "window": window, "hash": source_hash(source), "share": WHOLE, "genes": {}, "score": values,
    }
