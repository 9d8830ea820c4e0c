"""Review: what the difference shows, and what a careful reader would object to, by rules. No wall: the sandbox is."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prefect import task

from shell.backtest.parameters import declared_parameters
from shell.config import RiskConfig
from shell.host.policy import check_policy
from shell.host.port import StrategySource
from shell.syntax import parse_source
from shell.trials.candidate import ChangeClass, Stage, StageResult
from shell.trials.change import classify_change, same_program
from tasks.ai.provider import Provider, ReviewCase
from tasks.ai.registry import provider_for, review_place
from tasks.ai.replies import Opinion
from tasks.client import ShellClient
from tasks.context import client
from tasks.policy import WRITE
from tasks.wording import one_line

STOP_POSITION = 6
SIZE_POSITION = 2
ACTION_POSITION = 1
STATE_METHODS_EXEMPT = frozenset({"__init__", "initialize", "load_state"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFinding:
    """One objection. Only those that matter fail the stage; the others are advice."""

    file: str
    line: int
    code: str
    message: str
    matters: bool

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """`change` is None for a source that does not parse."""

    change: ChangeClass | None
    findings: tuple[ReviewFinding, ...]

    @property
    def passed(self) -> bool:
        return self.change is not None and not any(finding.matters for finding in self.findings)


def review_source(parent: StrategySource, child: StrategySource, risk: RiskConfig) -> Review:
    """Classify the change and list what speaks against it."""
    policy = [
        ReviewFinding(file=found.file, line=found.line, code=found.code, message=found.message, matters=True)
        for found in check_policy(child)
    ]
    try:
        tree = parse_source(child.code)
        change = classify_change(parent, child)
        same = same_program(parent, child)
    except SyntaxError as error:
        # The policy has already said so, in its words, unless it is a skill of the parent that does not parse.
        finding = _finding(child, error.lineno or 1, "SYNTAX", f"it does not parse: {error.msg}", matters=True)
        return Review(change=None, findings=tuple(policy) or (finding,))
    findings = [*policy]
    if same:
        findings.append(_finding(child, 1, "NO_CHANGE", "it does the same as the active strategy", matters=True))
    findings += _entries(child, tree, risk)
    findings += _unused_parameters(child, tree)
    findings += _missing_state(child, tree)
    return Review(change=change, findings=tuple(sorted(findings, key=lambda found: (found.line, found.code))))


def review_candidate(
    shell: ShellClient, candidate_id: str, now: datetime, reader: Provider | None = None
) -> StageResult:
    """Review against the active strategy, store the class and the stage.

    The rules read first; what they let pass a `reader` may object to. It can refuse and raise the class, nothing else.
    """
    candidate = shell.candidate(candidate_id)
    active = shell.active_strategy()
    risk = shell.settings().risk
    review = review_source(active.source, candidate.proposal.source, risk)
    opinion = Opinion()
    if reader is not None and review.passed:
        opinion = reader.review(ReviewCase(active=active.source, proposed=candidate.proposal.source, risk=risk))
        review = with_opinion(review, opinion)
    if review.change is not None:
        shell.classify(candidate_id, review.change)
    result = StageResult(
        stage=Stage.REVIEW, passed=review.passed, reasons=_reasons(review, opinion.note),
        inputs={
            "against": active.version, "against_hash": active.hash,
            "class": review.change.value if review.change else "",
            "findings": [_as_dict(finding) for finding in review.findings],
            **({"reader": opinion.note, "reader_summary": opinion.summary} if opinion.note else {}),
        },
    )
    shell.record_stage(candidate_id, result, now)
    return result


def with_opinion(review: Review, opinion: Opinion) -> Review:
    """The rules' review with a reader's objections added, and the heavier class of the two."""
    heavier = [each for each in (review.change, opinion.change) if each is not None]
    added = tuple(
        ReviewFinding(
            file=one_line(each.file), line=each.line, code=each.code, message=one_line(each.sentence), matters=each.matters
        )
        for each in opinion.objections
    )
    change = max(heavier, key=list(ChangeClass).index) if review.change is not None else None
    return Review(change=change, findings=(*review.findings, *added))


@task(name="review", description="Classify the change, look for what speaks against it.", **WRITE)
async def review(candidate_id: str, now: datetime, provider: str = "") -> StageResult:
    reader, _ = provider_for(client(), now, provider, place=review_place(candidate_id))
    return review_candidate(client(), candidate_id, now, reader)


def _reasons(review: Review, note: str = "") -> tuple[str, ...]:
    mattering = tuple(str(finding) for finding in review.findings if finding.matters)
    if mattering:
        return mattering
    assert review.change is not None, "a source that parses has a class"
    advice = len(review.findings)
    article = "an" if review.change is ChangeClass.OVERHAUL else "a"
    passed = f"{article} {review.change.value}, " + (f"{advice} remarks" if advice else "nothing to object")
    return (passed, note) if note else (passed,)


def _as_dict(finding: ReviewFinding) -> dict[str, Any]:
    return {
        "file": finding.file, "line": finding.line, "code": finding.code, "message": finding.message,
        "matters": finding.matters,
    }


def _finding(source: StrategySource, line: int, code: str, message: str, *, matters: bool) -> ReviewFinding:
    return ReviewFinding(file=source.origin, line=line, code=code, message=message, matters=matters)


def _entries(source: StrategySource, tree: ast.Module, risk: RiskConfig) -> list[ReviewFinding]:
    """Entries without a stop, and sizes above the limit a single trade has."""
    values = {parameter.name: parameter.value for parameter in declared_parameters(source.code)}
    largest = float(risk.max_trade_pct)
    findings = []
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and _is_signal(call) and _asks_to_buy(call)):
            continue
        stop = _argument(call, STOP_POSITION, "stop_loss")
        if stop is None or (isinstance(stop, ast.Constant) and stop.value is None):
            message = "an entry without a stop_loss: every position needs one from the start"
            findings.append(_finding(source, call.lineno, "NO_STOP", message, matters=True))
        size = _size_of(_argument(call, SIZE_POSITION, "size_pct"), values)
        if size is not None and size > largest:
            message = f"size_pct {size:g} is above max_trade_pct {largest:g}"
            findings.append(_finding(source, call.lineno, "SIZE_ABOVE_LIMIT", message, matters=True))
    return findings


def _is_signal(call: ast.Call) -> bool:
    return (isinstance(call.func, ast.Name) and call.func.id == "Signal") or (
        isinstance(call.func, ast.Attribute) and call.func.attr == "Signal"
    )


def _asks_to_buy(call: ast.Call) -> bool:
    action = _argument(call, ACTION_POSITION, "action")
    return isinstance(action, ast.Attribute) and action.attr == "BUY"


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        # `**fields` may hold anything: not knowing is no finding.
        if keyword.arg in (name, None):
            return keyword.value
    return call.args[position] if len(call.args) > position else None


def _size_of(node: ast.expr | None, values: dict[str, int | float]) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as size):
            return float(size)
        case ast.Subscript(value=ast.Name(), slice=ast.Constant(value=str() as name)) if name in values:
            return float(values[name])
        case _:
            return None


def _unused_parameters(source: StrategySource, tree: ast.Module) -> list[ReviewFinding]:
    declared = [parameter.name for parameter in declared_parameters(source.code)]
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [
        _finding(source, 1, "UNUSED_PARAMETER", f"parameter {name!r} is declared and never read", matters=False)
        for name in declared if words.count(name) < 2
    ]


def _missing_state(source: StrategySource, tree: ast.Module) -> list[ReviewFinding]:
    """Attributes that change while it runs, with a get_state that keeps nothing: a restart would forget them."""
    for node in tree.body:
        if not (isinstance(node, ast.ClassDef) and node.name == "Strategy"):
            continue
        methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
        running = [method for method in methods.values() if method.name not in STATE_METHODS_EXEMPT]
        changed = sorted({name for method in running for name in _changed(method)})
        saved = methods.get("get_state")
        if changed and saved is not None and _returns_nothing(saved):
            message = f"{', '.join(changed)} change while it runs, but get_state keeps nothing of them"
            return [_finding(source, saved.lineno, "MISSING_STATE", message, matters=True)]
    return []


def _changed(method: ast.FunctionDef) -> set[str]:
    names = set()
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node.value if isinstance(node, ast.Subscript) else node
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
                names.add(f"self.{target.attr}")
    return names


def _returns_nothing(method: ast.FunctionDef) -> bool:
    returns = [node.value for node in ast.walk(method) if isinstance(node, ast.Return)]
    return all(isinstance(value, ast.Dict) and not value.keys for value in returns)
