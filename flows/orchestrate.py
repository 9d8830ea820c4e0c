"""The night: read, settle what is due, decide, perhaps evolve, aggregate, document, report, notify."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact

from flows.apart import live_apart
from flows.evolve import evolve
from flows.page import page_links
from flows.picture import show_equity
from flows.run import FLOW, Moment, as_run_of_its_own, begun, deployed, label, moment, named, night_tag
from flows.tend import tend_and_wait
from flows.window import Window, seconds_left
from tasks.aggregate import aggregate_candles
from tasks.costs import read_costs
from tasks.decide import decide_night
from tasks.document import read_document, update_document
from tasks.export import export_trials
from tasks.index import read_active, read_index
from tasks.night import CandidateOutcome, Decision, NightRecord, Settlement, night_of
from tasks.notify import notify_night
from tasks.outcome import found_nothing
from tasks.paper import find_due, find_untold, settle
from tasks.parity import check_parity
from tasks.promote import find_ready, promote
from tasks.report import write_night_report
from tasks.settlements import answered, settled
from tasks.snapshot import read_equity, read_performance

DECIDED_PCT, EVOLVED_PCT, DONE_PCT = 20.0, 80.0, 100.0


@flow(
    name="orchestrate", flow_run_name=named("orchestrate", "%Y-%m-%d"), **FLOW,
    description="The nightly cycle: settle paper trials, decide, perhaps evolve, aggregate, document, report.",
)
async def orchestrate(now: Moment = None, seed: int = 0, provider: str = "") -> NightRecord:
    """One night. Safe to repeat: stages done are not done again, and no model is asked the same question twice.

    Args:
        now: The time it is for, with a zone, such as 2026-11-22T05:00:00+00:00; empty: when the run was scheduled.
        seed: What the night's searches derive their own seeds from.
        provider: Who proposes: local, anthropic or vertex; empty: the one in the settings.
    """
    at = moment(now)
    night = night_of(at)
    window = Window(seconds_left(at, begun(at)))
    await label(night_tag(night))
    progress = await acreate_progress_artifact(0.0, key="night", description=f"Night of {night}")
    await read_document()
    performance = await read_performance(at)
    await read_index()

    settlements = await _settle(at, night)
    decision = await decide_night(at, provider, seed)
    await aupdate_progress_artifact(progress, DECIDED_PCT)
    outcomes = await _evolve(decision, at, seed, provider, window)
    await aupdate_progress_artifact(progress, EVOLVED_PCT)

    record = NightRecord(
        night=night, at=at, decision=decision, settlements=settlements, outcomes=outcomes, performance=performance,
        active_version=await read_active(), parity=await check_parity(at), aggregated=await aggregate_candles(at),
        costs=await read_costs(at),
    )
    await update_document(record)
    report = await write_night_report(record)
    links = page_links([*(each.candidate_id for each in outcomes), *(each.candidate_id for each in settlements)])
    await acreate_markdown_artifact(report.markdown + links, key="night-report", description=f"Night of {night}")
    await show_equity(await read_equity(at))
    await notify_night(record)
    await export_trials(at)
    await aupdate_progress_artifact(progress, DONE_PCT)
    return record


async def _settle(at: datetime, night: str) -> tuple[Settlement, ...]:
    """Judge the paper trials that are due, then promote those that passed, one after the other.

    Where candidates have runs of their own, those do it, and this does what they left, and tells of what they did since the
    last night.
    """
    if deployed():
        await tend_and_wait()
    trials = [*await find_due(at), *(await find_untold(night) if deployed() else ())]
    judged = [settled(trial, await settle(trial, at)) for trial in trials]
    done = [each.candidate_id for each in judged if each.conformance.passed]
    for candidate_id in dict.fromkeys([*done, *await find_ready()]):
        judged = answered(judged, await promote(candidate_id, at))
    return tuple(judged)


async def _evolve(
    decision: Decision, at: datetime, seed: int, provider: str, window: Window
) -> tuple[CandidateOutcome, ...]:
    """Each candidate in a run of its own, one after the other: they share the account's few processor cores."""
    outcomes = []
    for item in decision.items:
        if deployed():
            life = live_apart(item, at, seed, provider)
        else:
            life = as_run_of_its_own(partial(
                evolve, now=at, work=item.work, ordinal=item.ordinal, candidate_id=item.candidate_id, seed=seed,
                provider=provider,
            ))
        outcome = await window.within(life)
        outcomes.append(outcome or found_nothing("the night's window ended first; the next night goes on", 0))
    return tuple(outcomes)
