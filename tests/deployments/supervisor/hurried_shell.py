"""A shell process whose days pass as fast as a test lets them: a real desk and control API over a replayed market.

    python -m tests.deployments.supervisor.hurried_shell FOLDER

It steps from bar to bar up to the moment that stands in FOLDER/until.txt, and waits there. On its first start it has a candidate,
c0001, that passed its gate; a person has to approve its promotion. FOLDER/overrides.json may hold settings of a test's own; there is no candidate then, unless it says
`"candidate": true`. With `"slots": true` scans have the origin that they have in a running shell: whether a flow registered.
"""

from __future__ import annotations

import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from deployments.opening import account_overrides, open_replay, settings_for
from shell.calls import Calls
from shell.clock import parse_moment
from shell.control.server import ControlApi
from shell.desk import Desk
from shell.home import Home
from shell.log import configure
from shell.market.synthetic import synthetic_market
from shell.store.store import Store
from shell.trials.candidate import Stage
from tests.deployments.test_promotion import CLOCKWORK, SOURCE, home_before
from tests.shell.promotion import honest

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
STEP = timedelta(minutes=5)
SYMBOLS = ("BTC/USD", "ETH/USD")
UNTIL = "until.txt"
OVERRIDES = "overrides.json"


def let_time_pass(folder: Path, moment: datetime) -> None:
    """Allow the shell in `folder` to go on to `moment`."""
    staged = folder / f"{UNTIL}.new"
    staged.write_text(moment.isoformat(), encoding="utf-8")
    staged.replace(folder / UNTIL)


def make_candidate(store: Store, now: datetime) -> None:
    """One that has passed everything up to its paper trial, by an honest ledger."""
    name = honest.scored(store, SOURCE, now, provider="person")
    for stage in (Stage.GENERATE, Stage.REVIEW):
        honest.stage(store, name, stage, now, {})
    honest.judged(store, name, now)
    # Its figures are invented: run again, they would come out others.
    honest.run_again(store, name, now)


def main(folder: Path) -> None:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    home, own = Home.private(folder), folder / OVERRIDES
    changes = json.loads(own.read_text(encoding="utf-8")) if own.exists() else {"candidate": True, "orchestrator.approval": "ask"}
    wanted, as_registered = changes.pop("candidate", False), changes.pop("slots", False)
    if wanted and not home.database.exists():
        home = home_before(folder, CLOCKWORK)
    settings = settings_for(home, {**account_overrides(SYMBOLS), **changes})
    configure(home, "info", name="stand-in")
    history = synthetic_market(5, SYMBOLS, START - timedelta(days=40), 45)
    kept = folder / UNTIL
    # A later start goes on where the earlier one may have been.
    begin = parse_moment(kept.read_text(encoding="utf-8")) if kept.exists() else START
    opened = open_replay(home, settings, history, begin, START + timedelta(days=4))
    opened.shell.start(begin)

    def step(slot: datetime) -> None:
        opened.shell.step(slot, origin=opened.shell.slots.take(slot) if as_registered else "rehearsal")

    step(begin)
    calls, desk = Calls(), Desk(opened.shell)
    if wanted and not opened.store.candidates.list():
        make_candidate(opened.store, begin)
    api = ControlApi(home.control_socket)
    api.start(calls)
    print('{"shell": "ready"}', flush=True)
    while not stop.is_set():
        until = parse_moment(kept.read_text(encoding="utf-8")) if kept.exists() else begin
        if opened.shell.now + STEP <= until:
            step(opened.shell.now + STEP)
            if calls.wait(0.0):
                calls.answer(desk)
        elif calls.wait(0.3):
            calls.answer(desk)
    calls.close("the shell is stopping")
    api.stop()
    opened.shell.shutdown(opened.shell.now)
    opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
