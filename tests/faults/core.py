"""The proof of order handling, bounded and by one seed: `python -m tests.faults.core`, the first section of `make faults`.

Storms of lost answers, lives of the execution core ended by SIGKILL, lives of the whole shell ended by SIGKILL, and lives whose
database is taken back to older copies, shared out over the processors. Ends with one line of counts, and with exit code 1 and the seeds when anything is not as it must be.
BRAIN_TEST_SEED changes the seed, BRAIN_FAULT_POINTS the size: 25 is all of it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import structlog

from tests.faults.execution_world import Tally, World
from tests.faults.mortal import drawn_death, nursery
from tests.faults.older_copies import older_copies
from tests.faults.seeds import FAILED_COPIES, FAILED_LIVES, FAILED_STORMS
from tests.faults.storm import RISK, storm
from tests.faults.whole_shell import shell_lives

WHOLE = 25
AMBIGUOUS, CORE_KILLS, SHELL_KILLS, COPY_LIVES = 10_000, 950, 50, 10
# About how many doubtful orders a storm has, and how many lives are one job.
STORM_SIZE, LIVES_A_JOB, SHELLS_A_JOB = 56, 50, 25
LIVES_BETWEEN_JUDGEMENTS = 10


@dataclass(frozen=True, slots=True)
class Job:
    """A storm, or some lives."""

    kind: str
    seed: int
    number: int


def lives(folder: Path, seed: int, number: int) -> Tally:
    """So many lives of the execution core on one account, each killed; judged after every tenth."""
    chance = random.Random(seed)
    on = World(folder / "world", risk=RISK)
    on.close()
    killed, since = 0, 0
    with nursery(folder) as cradle:
        # A life that ends before its death does not count, and there are not many of them.
        for _ in range(2 * number):
            on.plan({"seed": chance.randrange(2**31), "rate": chance.choice((0, 0.1, 0.3))})
            died = cradle.live(
                on.desk, on.folder, seed=chance.randrange(2**31), death=drawn_death(chance), watch=on.watch, risk=RISK
            )
            killed, since = killed + died, since + 1
            if since == LIVES_BETWEEN_JUDGEMENTS or killed == number:
                since = 0
                judged_again(on)
            if killed == number:
                break
    on.tally.restarts = on.tally.kills = killed
    return on.tally


def judged_again(on: World) -> None:
    """A start after the last death, a minute without faults, and the oracle."""
    on.note_faults()
    on.clock.advance_to(on.desk.exchange.now)
    on.open()
    on.quiet()
    on.judge()
    on.close()


def worked(job: Job) -> tuple[Tally, float]:
    """One job in a process of the pool, and the processor seconds it took; its sentences begin with the seed they came from."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    begun, total = processor_seconds(), Tally()
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        match job.kind:
            case "storms":
                total += named(storm(Path(folder) / "storm", job.seed), f"storm {job.seed}")
            case "lives":
                total += named(lives(Path(folder), job.seed, job.number), f"lives {job.seed}")
            case "copies":
                total += named(older_copies(Path(folder) / "copies", job.seed), f"copies {job.seed}")
            case _:
                total += named(shell_lives(Path(folder), job.seed, job.number), f"shell {job.seed}")
        if total.wrong.total():
            total.sentences.append(f"what is left of it is kept in {keep(Path(folder), job)}")
    return total, processor_seconds() - begun


def keep(folder: Path, job: Job) -> Path:
    """Move a series that went wrong where it outlives the run: its database and logs say what happened."""
    kept = Path(tempfile.mkdtemp(prefix=f"brain-faults-{job.kind}-{job.seed}-"))
    shutil.copytree(folder, kept, dirs_exist_ok=True)
    return kept


def processor_seconds() -> float:
    """What this process and those it waited for have used of the processors."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def named(tally: Tally, name: str) -> Tally:
    tally.sentences = [f"{name}: {sentence}" for sentence in tally.sentences]
    if tally.wrong.total() and not tally.sentences:
        tally.sentences = [f"{name}: {dict(tally.wrong)}"]
    return tally


def fast_folder() -> str | None:
    """Memory where there is some: what is tried is the order of commits, not the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def jobs(seed: int, points: int) -> Iterator[Job]:
    """The longest first."""
    share = points / WHOLE
    shells, kills = round(SHELL_KILLS * share), round(CORE_KILLS * share)
    storms = round(AMBIGUOUS * share / STORM_SIZE) + 1
    for first in range(0, shells, SHELLS_A_JOB):
        yield Job("shell", seed + first, min(SHELLS_A_JOB, shells - first))
    for each in (*FAILED_COPIES, *(seed * 1_000 + number for number in range(round(COPY_LIVES * share)))):
        yield Job("copies", each, 1)
    for each in FAILED_LIVES:
        yield Job("lives", each, LIVES_A_JOB)
    for first in range(0, kills, LIVES_A_JOB):
        yield Job("lives", seed + first, min(LIVES_A_JOB, kills - first))
    for each in FAILED_STORMS:
        yield Job("storms", each, 1)
    for number in range(storms):
        yield Job("storms", seed * 1_000_000 + number, 1)


def line(total: Tally, seed: int) -> str:
    wrong = total.wrong
    return (
        f"{total.kills} crash points ({total.shell_kills} whole-shell SIGKILL), {total.ambiguous} ambiguous submissions, "
        f"duplicate orders {wrong['I1']}, lost fills {wrong['lost']}, doubled fills {wrong['doubled']}, balances off {wrong['I3'] + wrong['oversold']}, "
        f"limits breached {wrong['I4'] + wrong['I6']}, seed {seed}"
    )


def main() -> int:
    seed, points = int(os.environ.get("BRAIN_TEST_SEED", "7")), int(os.environ.get("BRAIN_FAULT_POINTS", str(WHOLE)))
    print(f"seed {seed} (BRAIN_TEST_SEED), {points} of {WHOLE} parts (BRAIN_FAULT_POINTS)", flush=True)
    total, broken, begun = Tally(), 0, time.monotonic()
    seconds: dict[str, float] = {}
    # A whole shell mostly waits for the next slot: its jobs leave the processors to the others.
    workers = (os.cpu_count() or 1) + sum(job.kind == "shell" for job in jobs(seed, points))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        working = {pool.submit(worked, job): job for job in jobs(seed, points)}
        for done in as_completed(working):
            job, error = working[done], done.exception()
            if error is not None:
                # The shell refused to go on, or the bench is broken: either is a failure of this seed.
                broken += 1
                print(f"BROKEN {job.kind} from seed {job.seed}:\n{''.join(traceback.format_exception(error))}", flush=True)
                continue
            tally, took = done.result()
            seconds[job.kind] = seconds.get(job.kind, 0) + took
            total += tally
            if tally.wrong.total():
                print(f"FAILED {job.kind} from seed {job.seed}: {dict(tally.wrong)}", *tally.sentences[:5], sep="\n  ", flush=True)
    parts = ", ".join(f"{kind} {took:.0f} s" for kind, took in seconds.items())
    print(f"{total.submissions} orders sent, {total.fills} fills, {total.faults} faults, {total.restarts} restarts, {total.restores} of them on an older copy")
    print(
        f"{time.monotonic() - begun:.0f} s on {os.cpu_count()} processors, {processor_seconds():.0f} s of processor time ({parts}); "
        f"{broken} jobs broken, everything wrong: {+total.wrong}"
    )
    print(line(total, seed))
    return int(bool(broken or total.wrong.total()))


if __name__ == "__main__":
    sys.exit(main())
