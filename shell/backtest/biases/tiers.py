"""Higher tiers only when closed: the hours and days a strategy sees have ended, and are made of the 5m bars it saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shell.backtest.biases.finding import BiasVerdict, Finding, Numbers
from shell.backtest.biases.subject import Baseline, Subject, run_on
from shell.backtest.biases.tier_files import TierFile, check_files
from shell.backtest.biases.witness import SOURCE, Sighting, sighting_of

CHECK = "higher_tiers"
# Nothing in the strategy's view depends on how long it has been looking.
WATCHED = timedelta(days=5)
MATCHING_MIN = 10


def tiers(subject: Subject, baseline: Baseline) -> Finding:
    """Compare the history's files, then run the witness where the strategy runs and read what it saw."""
    files = check_files(subject.history)
    start = baseline.result.start
    end = min(start + WATCHED, baseline.result.end)
    witness = replace(subject, source=SOURCE)
    run = run_on(witness, subject.history, start, end)
    seen = sighting_of(run.answers)
    evidence: Numbers = {
        "scans": seen.scans, "candles": seen.candles, "unfinished": seen.unfinished, "matching": seen.matching,
        "differing": seen.differing, "unmatched": seen.unmatched, "late": seen.late, "files": len(files),
        "files_doubted": sum(bool(each.doubt) for each in files),
    }
    verdict, sentence = judge_tiers(seen, files, run.complaint)
    return Finding(check=CHECK, verdict=verdict, sentence=sentence, evidence=evidence)


def judge_tiers(seen: Sighting, files: list[TierFile], complaint: str) -> tuple[BiasVerdict, str]:
    """The worst that is certain, then what is in doubt."""
    faults = [each.fault for each in files if each.fault]
    if seen.unfinished:
        faults.insert(0, f"{seen.unfinished} of {seen.candles} candles were shown before they had closed")
    if seen.differing:
        total = seen.differing + seen.matching
        faults.append(f"{seen.differing} of {total} hours and days shown contradict the 5m bars shown with them")
    if seen.late:
        faults.append(f"at {seen.late} of {seen.scans} scans a candle that had closed was not shown")
    if faults:
        return BiasVerdict.BIASED, "; ".join(faults)
    if complaint:
        return BiasVerdict.UNKNOWN, f"the check of what is shown did not get through: {complaint}"
    if seen.matching < MATCHING_MIN:
        return BiasVerdict.UNKNOWN, (
            f"only {seen.matching} hours and days could be compared with 5m bars, {MATCHING_MIN} are needed: "
            "use a longer window"
        )
    doubts = [each.doubt for each in files if each.doubt]
    if doubts:
        return BiasVerdict.UNKNOWN, "; ".join(doubts)
    return BiasVerdict.CLEAN, (
        f"{seen.candles} candles over {seen.scans} scans had all closed when shown, and all {seen.matching} hours and days "
        "that could be compared equal their 5m bars"
    )
