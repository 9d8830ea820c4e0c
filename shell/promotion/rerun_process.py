"""A rerun in a process of its own, so that trading goes on meanwhile: started, asked now and then, ended with its parent.

It is a worker like those of many backtests (`shell.backtest.worker`): a clean environment, no key, no database, less
urgent than trading. The histories are handed over in files without a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from shell.backtest.crew import KILL_AFTER_SECONDS, Worker, WorkerLost
from shell.backtest.history_file import history_file
from shell.backtest.run import Progress
from shell.backtest.worker import PROGRESS, REFUSAL, error_of, serve
from shell.clock import monotonic
from shell.market.history import History
from shell.promotion.rerun import Case, Found, run_again

# Longer than any rerun of a machine that could have made the first run in a night.
SECONDS_MAX = 3 * 3600.0


class RerunProcess:
    """One rerun under way. Raises WorkerLost when no process can be started."""

    def __init__(self, case: Case, histories: Sequence[History]) -> None:
        with ExitStack() as files:
            handed = [files.enter_context(history_file(each)) for each in histories]
            try:
                self._worker = Worker(*handed, module=__name__)
            except OSError as error:
                raise WorkerLost(f"no process could be started to run the evidence again: {error.strerror}") from None
        self._deadline = monotonic() + SECONDS_MAX
        self.done = 0.0
        """The part that is over, 0 to 1."""
        try:
            self._worker.connection.send(case)
        except OSError:
            raise self._worker.lost() from None

    def answer(self) -> Found | None:
        """What was found; None while it runs. Asks without waiting.

        Raises WorkerLost when the process died or took too long, and what `run_again` raises; the process has ended then, as
        it has after an answer.
        """
        try:
            while self._worker.connection.poll():
                kind, said = self._worker.connection.recv()
                if kind == PROGRESS:
                    self.done = said[0] / said[1]
                    continue
                self.close()
                if kind == REFUSAL:
                    raise error_of(said)
                found: Found = said
                return found
        except (EOFError, OSError):
            raise self._worker.lost() from None
        if monotonic() > self._deadline:
            self.close()
            raise WorkerLost(f"running the evidence again took more than {SECONDS_MAX / 3600:.0f} hours")
        return None

    def close(self) -> None:
        """End it, whatever it was doing."""
        self._worker.connection.close()
        self._worker.end(monotonic() + KILL_AFTER_SECONDS)


def main(descriptor: int, selection_descriptor: int, vault_descriptor: int) -> None:
    """Run cases that arrive on the socket `descriptor` again."""
    serve(_work, descriptor, selection_descriptor, vault_descriptor)


def _work(case: Case, histories: Sequence[History], progress: Progress) -> Found:
    return run_again(case, histories, progress)
