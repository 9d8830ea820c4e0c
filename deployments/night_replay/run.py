"""`brain night replay`: decide and take every candidate through its life again, and compare with what is on record.

Models answer from the record, to the byte or not at all. Only where another provider is asked for, and it is no `local`, are
questions sent; they are paid for under the caps, and are all that a replay writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, cast

from deployments.cli.homes import read_store
from deployments.night_replay.past import Past
from deployments.night_replay.record import record_of
from deployments.night_replay.shell import ReplayShell
from deployments.night_replay.till import Till, till_of
from deployments.opening import SOURCE_FACT, settings_for
from shell.config import Settings
from shell.config_ai import LOCAL
from shell.errors import Rejected
from shell.home import Home
from shell.market.archive import Archive
from shell.predictions import Grade, Prediction
from shell.program import program_identity
from shell.promotion.workspace import Workspace
from shell.store.candles import CandleStore
from shell.store.canonical import canonical
from shell.store.night_inputs import StoredInputs
from shell.store.store import Store
from shell.trials.access import HistoryAccess
from shell.trials.candidate import Candidate, Stage, StageResult
from tasks.advise import advised
from tasks.ai.recorded import RecordedModels
from tasks.ai.registry import Providers, providers_for
from tasks.client import ShellClient
from tasks.decide import decide
from tasks.life import live
from tasks.night import Decision, WorkItem
from tasks.night_inputs import context_of, settings_of

# What happens within a night: paper trials and promotions come of later market days.
REPLAYED = (Stage.GENERATE, Stage.REVIEW, Stage.SANDBOX, Stage.BACKTEST, Stage.GATE)
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replay:
    """What every attempt of one replay has in common. `till` is there when another provider is paid."""

    home: Home
    store: Store
    night: str
    provider: str
    made_by: str
    tell: Tell
    till: Till | None

    @property
    def from_record(self) -> bool:
        """Whether the night runs again as it was made."""
        return self.provider == self.made_by


def replay_night(home: Home, night: str, provider: str = "", tell: Tell = lambda _doing: None) -> dict[str, Any]:
    """Run every attempt at a night again from its record, asking nobody outside and writing nothing.

    `identical` is True when decisions, candidates and every stage equal the record to the byte. With another `provider` it
    shows where decisions and proposals differ; those are reviewed and sandboxed, and not scored. One that is no `local` is
    asked, within the caps, about the last attempt alone. Raises Rejected for a night without a record, DataError when its
    candles or its document are no longer there.
    """
    with ExitStack() as held:
        store = held.enter_context(read_store(home))
        attempts = store.night_inputs.of(night)
        if not attempts:
            raise Rejected(
                f"the night {night} cannot be run again: its inputs are not on record (`brain night list` says which are)"
            )
        made_by = str(attempts[-1].inputs["provider"])
        asked = provider or made_by
        pays = asked not in (LOCAL, made_by)
        till = held.enter_context(till_of(home, settings_for(home).ai, asked)) if pays else None
        replay = _Replay(
            home=home, store=store, night=night, provider=asked, made_by=made_by, tell=tell, till=till
        )
        ends = [*(int(each.inputs["events"]) for each in attempts[1:]), None]
        chosen = list(zip(attempts, ends, strict=True))[-1 if pays else 0:]
        runs = [_attempt(replay, stored, end) for stored, end in chosen]
        spent = till.spending(night) if till is not None else None
    differences = [line for run in runs for line in run["differences"]]
    return {
        "night": night, "provider": asked, "recorded_provider": made_by, "attempts": runs,
        "identical": not differences, "differences": differences,
        "same_program": all(each.inputs["program"] == program_identity() for each in attempts),
        "calls": 0 if spent is None else spent.calls, "usd": 0.0 if spent is None else float(spent.night_usd),
    }


def _attempt(replay: _Replay, stored: StoredInputs, end: int | None) -> dict[str, Any]:
    inputs, store = stored.inputs, replay.store
    settings, context = _settings(replay, inputs), context_of(inputs)
    past = Past(store, int(inputs["events"]))
    by_rules = decide(context)
    # What was registered besides, by hand or on another night, is not this night's.
    came = [each for each in past.came_of_it(end) if each.proposed_at == stored.at]
    shell = ReplayShell(
        past, _access(replay.home, store, settings), settings, came, context.budget, stored.at,
        lambda: past.document(str(inputs["document"]), Workspace(replay.home.workspace).document()), replay.till,
    )
    client, seed = cast(ShellClient, shell), int(inputs["seed"])
    providers, recorded = _providers(replay, client, stored, end, settings)
    decision = by_rules
    if replay.provider != LOCAL:
        replay.tell("decide")
        decision = advised(
            client, context, by_rules, stored.at, replay.provider, seed, truth=inputs.get("truth", {}), recorded=providers
        )
    resumed = [store.candidates.get(item.candidate_id) for item in decision.items if item.candidate_id]
    on_record = {each.candidate_id: each for each in (*came, *resumed)}
    cut_short = end is not None or store.nights.get(replay.night) is None
    reached = [item for item in decision.items if not cut_short or item.candidate_id or came]
    lives = [_live(replay, shell, item, stored, on_record, providers, cut_short) for item in reached]
    made = {name for life in lives for name in life["made"]}
    absent = [
        f"{name} is on record and was not made now: {each.proposal.hypothesis}"
        for name, each in on_record.items() if name not in made
    ]
    unknown = recorded.unknown if recorded is not None else ()
    asked_then = {call.asked.slot for call in store.model_calls.list(replay.night)}
    other = [
        f"the question of {slot} is another one now than on record" for slot in unknown
        if slot in asked_then or not cut_short
    ]
    return {
        "attempt": stored.attempt, "at": stored.at, "inputs_hash": stored.hash, "decision": decision.kind.value,
        "reasons": list(decision.reasons), "remarks": list(decision.remarks), "candidates": lives,
        "caught": list(shell.caught),
        "differences": [
            *other, *(_decided(by_rules, inputs) or _advice(replay, decision, end)), *_prediction(replay, shell, stored),
            *(line for life in lives for line in life["differences"]), *absent,
        ],
    }


def _settings(replay: _Replay, inputs: Mapping[str, Any]) -> Settings:
    """The settings of that night; for a provider that is asked now, with today's models, prices and caps."""
    settings = settings_of(inputs, replay.provider)
    if replay.till is None:
        return settings
    today = settings_for(replay.home).ai.model_copy(update={"provider": replay.provider})
    return settings.model_copy(update={"ai": today})


def _providers(
    replay: _Replay, shell: ShellClient, stored: StoredInputs, end: int | None, settings: Settings
) -> tuple[Providers, RecordedModels | None]:
    if replay.from_record and replay.made_by != LOCAL:
        recorded = RecordedModels(record_of(replay.store, stored, end), settings.ai)
        return recorded, recorded
    return providers_for(shell, stored.at, replay.provider, int(stored.inputs["seed"])), None


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


def _advice(replay: _Replay, decision: Decision, end: int | None) -> list[str]:
    """Where the decision, a model's advice included, is not the one the night ended with. Only its last attempt has one."""
    row = replay.store.nights.get(replay.night)
    if end is not None or row is None or "reasons" not in row.decision:
        return []
    then, reasons = str(row.decision["decision"]), list(row.decision["reasons"])
    if (decision.kind.value, list(decision.reasons)) == (then, reasons):
        return []
    now = f"{decision.kind.value} ({'; '.join(decision.reasons)})"
    return [f"the night decides {now}, on record is {then} ({'; '.join(reasons)})"]


def _prediction(replay: _Replay, shell: ReplayShell, stored: StoredInputs) -> list[str]:
    """Where the prediction is not the one on record. A later attempt's is not kept: the first of a night stays."""
    if not replay.from_record or stored.attempt > 1:
        return []
    kept = next((each for each in replay.store.model_calls.predictions() if each.night == replay.night), None)
    now, then = (None if each is None else _ungraded(each) for each in (shell.predicted, kept))
    return [] if canonical(now) == canonical(then) else ["the prediction is another one than on record"]


def _ungraded(prediction: Prediction) -> Prediction:
    return replace(prediction, grade=Grade.OPEN, value=None, graded_at=None)


def _live(
    replay: _Replay, shell: ReplayShell, item: WorkItem, stored: StoredInputs, on_record: Mapping[str, Candidate],
    providers: Providers, cut_short: bool,
) -> dict[str, Any]:
    """One candidate's life again, beside the one on record. Of an attempt that was `cut_short`, what is on record is compared
    and no more."""
    name = f"{item.work.value} {item.ordinal + 1}"
    replay.tell(name)
    before = {each.candidate_id for each in shell.candidates()} - {item.candidate_id}
    outcome = live(
        cast(ShellClient, shell), item, stored.at, int(stored.inputs["seed"]),
        lambda doing: replay.tell(f"{name}: {doing}"), providers,
    )
    made = [each for each in shell.candidates() if each.candidate_id not in before]
    return {
        "work": item.work.value, "ordinal": item.ordinal, "made": [each.candidate_id for each in made],
        "hypotheses": [each.proposal.hypothesis for each in made], "verdict": outcome.verdict, "stage": outcome.stage,
        "reasons": list(outcome.reasons), "looks": outcome.looks,
        "differences": [
            line for each in made if each.candidate_id in on_record or not cut_short
            for line in _compare(each, on_record.get(each.candidate_id), cut_short)
        ],
    }


def _compare(made: Candidate, recorded: Candidate | None, cut_short: bool) -> list[str]:
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
        for stage in REPLAYED
        if canonical(again.get(stage)) != canonical(then.get(stage)) and not (cut_short and then.get(stage) is None)
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
