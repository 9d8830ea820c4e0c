"""Restart invariance and repeatability: the same decisions after restarts, and the same without any."""

from __future__ import annotations

from datetime import timedelta

from shell.backtest.biases.decisions import compare
from shell.backtest.biases.finding import BiasVerdict, Finding
from shell.backtest.biases.hosts import RestartingHost
from shell.backtest.biases.subject import SIGNALS_MIN, SPAN_SIGNALS, Baseline, Subject, host_for, run_on
from shell.backtest.run import STEP

REPEATABILITY, RESTART = "repeatability", "restart"
# Places in the list of decisions after which the process is ended: when a state is likely to hold something.
RESTARTS = (0.2, 0.3, 0.4)
# And how far the run goes: a state that was lost shows in the next decisions.
COMPARED = 0.7
_MOMENT = timedelta(microseconds=1)


def restart(subject: Subject, baseline: Baseline) -> tuple[Finding, Finding]:
    """(repeatability, restart) from one run with restarts in it: until the first one it is the plain run again."""
    moments = baseline.decided()
    # The first scan after a decision.
    at = sorted({moments[int(place * (len(moments) - 1))] + _MOMENT for place in RESTARTS})
    # With few decisions there are none to spare.
    reach = max(int(COMPARED * (len(moments) - 1)), min(SPAN_SIGNALS, len(moments)) - 1)
    end = min(moments[reach] + 2 * STEP, baseline.span_end)
    host = RestartingHost(lambda: host_for(subject, subject.source, subject.history), at)
    run = run_on(subject, subject.history, baseline.result.start, end, host=host)
    own = [answer for answer in baseline.answers if answer.decided_at < end]
    first = at[0]
    same = compare(
        (answer for answer in own if answer.decided_at < first),
        (answer for answer in run.answers if answer.decided_at < first),
    )
    later = compare(
        (answer for answer in own if answer.decided_at >= first),
        (answer for answer in run.answers if answer.decided_at >= first),
    )
    repeated = _judged(
        REPEATABILITY, same.compared, same.differing, 1,
        f"a second run over the same bars decides otherwise: {same.first}",
        f"a second run made the same {same.compared} decisions",
    )
    evidence = {"compared": later.compared, "differing": later.differing, "restarts": host.restarted}
    if run.complaint and not baseline.run.complaint:
        sentence = f"restarted, the strategy breaks: {run.complaint}"
        return repeated, Finding(check=RESTART, verdict=BiasVerdict.BIASED, sentence=sentence, evidence=evidence)
    if host.restarted < len(at):
        sentence = f"only {host.restarted} of {len(at)} restarts came about"
        return repeated, Finding(check=RESTART, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence=evidence)
    restarted = _judged(
        RESTART, later.compared, later.differing, SIGNALS_MIN,
        f"restarted from its own state, it decides otherwise: {later.first}; get_state and load_state do not carry "
        "everything that its decisions depend on",
        f"{host.restarted} restarts changed none of the {later.compared} decisions after the first",
        restarts=host.restarted,
    )
    return repeated, restarted


def _judged(
    check: str, compared: int, differing: int, needed: int, biased: str, clean: str, **numbers: int
) -> Finding:
    evidence = {"compared": compared, "differing": differing, **numbers}
    if differing:
        return Finding(check=check, verdict=BiasVerdict.BIASED, sentence=biased, evidence=evidence)
    if compared < needed:
        sentence = f"only {compared} decisions could be compared, {needed} are needed: use a longer window"
        return Finding(check=check, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence=evidence)
    return Finding(check=check, verdict=BiasVerdict.CLEAN, sentence=clean, evidence=evidence)
