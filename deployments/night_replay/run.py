"""`brain night replay`: decide and take every candidate through its life again, and compare with what is on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from deployments.cli.homes import read_store
from deployments.night_replay.past import Past
from deployments.night_replay.shell import ReplayShell
from deployments.opening import SOURCE_FACT
from shell.config import Settings
from shell.errors import Rejected
from shell.home import Home
from shell.market.archive import Archive
from shell.program import program_identity
from shell.store.candles import CandleStore
from shell.store.canonical import canonical
from shell.store.night_inputs import StoredInputs
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.candidate import Candidate, Stage, StageResult
from tasks.client import ShellClient
from tasks.decide import decide
from tasks.life import live
from tasks.night import Decision, WorkItem
from tasks.night_inputs import context_of, settings_of

# What happens within a night: paper trials and promotions come of later market days.
REPLAYED = (Stage.GENERATE, Stage.REVIEW, Stage.SANDBOX, Stage.BACKTEST, Stage.GATE)
WITHOUT_CALLS = "local"

Tell = Callable[[str], None]


def replay_night(home: Home, night: str, provider: str = "", tell: Tell = lambda _doing: None) -> dict[str, Any]:
    """Run every attempt at a night again from its record, asking nobody outside and writing nothing.

    `identical` is True when decisions, candidates and every stage equal the record to the byte. With another `provider` it
    shows where proposals differ; those are reviewed and sandboxed, and not scored. Raises Rejected for a night without a
    record, DataError when its candles are no longer there.
    """
    with read_store(home) as store:
        attempts = store.night_inputs.of(night)
        if not attempts:
            raise Rejected(
                f"the night {night} cannot be run again: its inputs are not on record (`brain night list` says which are)"
            )
        made_by = str(attempts[-1].inputs["provider"])
        if (provider or made_by) != WITHOUT_CALLS:
            raise Rejected(
                f"the night {night} was made by {made_by}: only the provider {WITHOUT_CALLS} runs again without a call; "
                f"`brain night replay {night} --provider {WITHOUT_CALLS}` shows what it would have proposed"
            )
        ends = [int(each.inputs["events"]) for each in attempts[1:]]
        runs = [
            _attempt(home, store, stored, end, provider, tell) for stored, end in zip(attempts, [*ends, None], strict=True)
        ]
    differences = [line for run in runs for line in run["differences"]]
    return {
        "night": night, "provider": provider or made_by, "recorded_provider": made_by, "attempts": runs,
        "identical": not differences, "differences": differences,
        "same_program": all(each.inputs["program"] == program_identity() for each in attempts),
    }


def _attempt(
    home: Home, store: Store, stored: StoredInputs, end: int | None, provider: str, tell: Tell
) -> dict[str, Any]:
    inputs = stored.inputs
    settings, context = settings_of(inputs, provider or str(inputs["provider"])), context_of(inputs)
    past = Past(store, int(inputs["events"]))
    decision = decide(context)
    # What was registered besides, by hand or on another night, is not this night's.
    came = [each for each in past.came_of_it(end) if each.proposed_at == stored.at]
    shell = ReplayShell(past, _access(home, store, settings), settings, came, context.budget)
    resumed = [store.candidates.get(item.candidate_id) for item in decision.items if item.candidate_id]
    on_record = {each.candidate_id: each for each in (*came, *resumed)}
    lives = [_live(shell, item, stored, int(inputs["seed"]), on_record, tell) for item in decision.items]
    made = {name for life in lives for name in life["made"]}
    absent = [
        f"{name} is on record and was not made now: {each.proposal.hypothesis}"
        for name, each in on_record.items() if name not in made
    ]
    return {
        "attempt": stored.attempt, "at": stored.at, "inputs_hash": stored.hash, "decision": decision.kind.value,
        "reasons": list(decision.reasons), "candidates": lives, "caught": list(shell.caught),
        "differences": [*_decided(decision, inputs), *(line for life in lives for line in life["differences"]), *absent],
    }


def _access(home: Home, store: Store, settings: Settings) -> HistoryAccess:
    label = (store.facts.get(SOURCE_FACT) or "imported candles|real").partition("|")
    return HistoryAccess(
        store, CandleStore(store), Archive(home.archive), symbols=settings.account.symbols, config=settings.orchestrator,
        source=label[0], real=label[2] == "real",
    )


def _decided(decision: Decision, inputs: Mapping[str, Any]) -> list[str]:
    told = inputs["decision"]
    if canonical({"kind": decision.kind, "reasons": decision.reasons, "items": decision.items}) == canonical(told):
        return []
    return [f"the decision is {decision.kind.value} ({'; '.join(decision.reasons)}), on record is {told['kind']}"]


def _live(
    shell: ReplayShell, item: WorkItem, stored: StoredInputs, seed: int, on_record: Mapping[str, Candidate], tell: Tell
) -> dict[str, Any]:
    """One candidate's life again, beside the one on record."""
    name = f"{item.work.value} {item.ordinal + 1}"
    tell(name)
    before = {each.candidate_id for each in shell.candidates()} - {item.candidate_id}
    outcome = live(cast(ShellClient, shell), item, stored.at, seed, lambda doing: tell(f"{name}: {doing}"))
    made = [each for each in shell.candidates() if each.candidate_id not in before]
    return {
        "work": item.work.value, "ordinal": item.ordinal, "made": [each.candidate_id for each in made],
        "hypotheses": [each.proposal.hypothesis for each in made], "verdict": outcome.verdict, "stage": outcome.stage,
        "reasons": list(outcome.reasons), "looks": outcome.looks,
        "differences": [line for each in made for line in _compare(each, on_record.get(each.candidate_id))],
    }


def _compare(made: Candidate, recorded: Candidate | None) -> list[str]:
    """Where a candidate made now differs from the one on record under its name."""
    name = made.candidate_id
    if recorded is None:
        return [f"{name} was made now and is not on record: {made.proposal.hypothesis}"]
    if made.source_hash != recorded.source_hash:
        return [
            f"{name} is another program now ({made.source_hash}, on record {recorded.source_hash}): "
            f"{made.proposal.hypothesis} instead of {recorded.proposal.hypothesis}"
        ]
    again, then = _stages(made.stages), _stages(recorded.stages)
    return [
        f"{name}: the {stage.value} stage differs{_first_difference(again.get(stage), then.get(stage))}"
        for stage in REPLAYED if canonical(again.get(stage)) != canonical(then.get(stage))
    ]


def _stages(results: Sequence[StageResult]) -> dict[Stage, StageResult]:
    return {each.stage: each for each in results if each.stage in REPLAYED}


def _first_difference(now: StageResult | None, then: StageResult | None) -> str:
    if now is None or then is None:
        return f": it was {'not ' if now is None else ''}made now, {'not ' if then is None else ''}made then"
    if (now.passed, now.reasons) != (then.passed, then.reasons):
        return f": now {'; '.join(now.reasons)[:200]}; then {'; '.join(then.reasons)[:200]}"
    names = sorted({*now.inputs, *then.inputs})
    return " in " + ", ".join(
        name for name in names if canonical(now.inputs.get(name)) != canonical(then.inputs.get(name))
    )
