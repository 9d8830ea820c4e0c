"""ShellClient over the control API: for flows, which run in processes of their own.

Reads are repeated, with jitter, when the shell cannot be reached or answers half. A write is sent once: if no answer comes its
outcome is unknown, and whoever repeats it does so by its own key (slot, candidate and stage, night), under which the shell
does it at most once. Where no connection came about nothing was sent: that is tried for a while, a shell may be starting.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from shell.answers import (
    ActiveStrategy,
    Conformance,
    EquityPoint,
    PaperTrial,
    Promotion,
    Rerun,
    ScanOutcome,
    Status,
    VersionRow,
)
from shell.backtest.history_file import read_history
from shell.backtest.result import BacktestSettings
from shell.clock import monotonic, require_utc
from shell.config import Settings
from shell.control.methods import methods
from shell.control.questions import Decided, SlotState
from shell.control.wire import Refusal, decode, encode, error_of
from shell.errors import NotNow, OutcomeUnknown, Transient
from shell.host.port import StrategySource
from shell.market.history import History
from shell.model_calls import CallRequest, CallState, ModelCall, Spending, Usage
from shell.predictions import Grade, Prediction
from shell.secrets import Secret
from shell.trials.budget import Budget
from shell.trials.candidate import Candidate, ChangeClass, Proposal, StageResult, TrialScore
from shell.trials.segments import Segment, SegmentName

READ_TRIES = 4
READ_PAUSE_SECONDS = 0.4
CONNECT_SECONDS_MAX = 20.0
# Above what the shell itself gives a question, so that its own sentence arrives and not our time-out.
MARGIN_SECONDS = 200.0
SCAN_SECONDS_MAX = 90.0
LONG_POLL_SECONDS = 20.0


class SocketClient:
    """One shell, reached by its Unix socket, or at `url` with a token. Safe to share between threads."""

    def __init__(
        self, path: Path | None = None, *, url: str = "", token: Secret | None = None,
        connect_seconds: float = CONNECT_SECONDS_MAX,
    ) -> None:
        self._where = str(path) if path is not None else url
        self._connect_seconds = connect_seconds
        headers = {"authorization": f"Bearer {token.reveal()}"} if token else {}
        transport = httpx.HTTPTransport(uds=str(path)) if path is not None else None
        # No proxy of the environment's stands between us and our own shell.
        self._http = httpx.Client(transport=transport, base_url=url or "http://shell", headers=headers, trust_env=False)

    def close(self) -> None:
        self._http.close()

    # -- what only this client knows --------------------------------------------------------------------------------

    def register_slot(self, slot: datetime) -> SlotState:
        """Say that somebody will report on `slot`. Registering twice is harmless, so it is repeated like a read."""
        return self._slot_state(self._read("POST", f"/slots/{_path_of(slot)}"))

    def slot_state(self, slot: datetime, *, wait: float = 0.0) -> SlotState:
        """What became of `slot`, waiting up to `wait` seconds for it. Raises NotNow for one that was never scanned."""
        deadline = monotonic() + wait
        while True:
            left = max(deadline - monotonic(), 0.0)
            path = f"/slots/{_path_of(slot)}?wait={min(left, LONG_POLL_SECONDS):.2f}"
            state = self._slot_state(self._read("GET", path, seconds=LONG_POLL_SECONDS))
            if state.outcome is not None or monotonic() >= deadline:
                return state

    def scan(self, slot: datetime) -> ScanOutcome:
        """Register the slot and wait for the shell's scan of it, which comes at the slot's own moment, asked or not.

        Raises NotNow where it does not come, or is not due by the strategy's interval.
        """
        now = self.status().now
        self.register_slot(slot)
        wait = max((slot - now).total_seconds(), 0.0) + SCAN_SECONDS_MAX
        state = self.slot_state(slot, wait=wait)
        if state.outcome is None:
            raise NotNow(f"the slot {slot:%Y-%m-%d %H:%M} UTC was not scanned within {wait:.0f} s")
        return state.outcome

    def person_decides(self, candidate_id: str, approved: bool, by: str) -> Decided:
        """A person's word about a candidate, at the shell's own time. Raises as the desk does."""
        body = json.dumps({"candidate_id": candidate_id, "by": by}).encode()
        answer: Decided = decode(Decided, self._write("POST", "/approve" if approved else "/reject", body=body))
        return answer

    def alive(self) -> bool:
        """Whether the control API answers now."""
        try:
            return self._http.get("/health", timeout=2.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    # -- the protocol -----------------------------------------------------------------------------------------------

    def settings(self) -> Settings:
        answer: Settings = self._ask("settings")
        return answer

    def status(self) -> Status:
        answer: Status = self._ask("status")
        return answer

    def snapshot(self, now: datetime) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._ask("snapshot", now=now)
        return answer

    def update_fees(self, now: datetime) -> Mapping[str, Mapping[str, float]]:
        answer: Mapping[str, Mapping[str, float]] = self._ask("update_fees", now=now)
        return answer

    def aggregate(self, now: datetime) -> Mapping[str, int]:
        answer: Mapping[str, int] = self._ask("aggregate", now=now)
        return answer

    def unreported_scans(self, now: datetime) -> Sequence[Mapping[str, Any]]:
        answer: Sequence[Mapping[str, Any]] = self._ask("unreported_scans", now=now)
        return answer

    def mark_reported(self, slots: Sequence[datetime], now: datetime) -> None:
        self._ask("mark_reported", slots=slots, now=now)

    def active_strategy(self) -> ActiveStrategy:
        answer: ActiveStrategy = self._ask("active_strategy")
        return answer

    def strategy_index(self) -> Sequence[VersionRow]:
        answer: Sequence[VersionRow] = self._ask("strategy_index")
        return answer

    def document(self) -> str:
        answer: str = self._ask("document")
        return answer

    def write_document(self, text: str, now: datetime) -> None:
        self._ask("write_document", text=text, now=now)

    def distil(self, now: datetime) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._ask("distil", now=now)
        return answer

    def parity(self, now: datetime) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._ask("parity", now=now)
        return answer

    def record_night_inputs(self, night: str, inputs: Mapping[str, Any], now: datetime) -> None:
        self._ask("record_night_inputs", night=night, inputs=inputs, now=now)

    def performance(self, now: datetime) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._ask("performance", now=now)
        return answer

    def equity(self, since: datetime) -> Sequence[EquityPoint]:
        answer: Sequence[EquityPoint] = self._ask("equity", since=since)
        return answer

    def segments(self, now: datetime) -> Mapping[SegmentName, Segment]:
        answer: Mapping[SegmentName, Segment] = self._ask("segments", now=now)
        return answer

    def history(self, segment: SegmentName, candidate_id: str | None, now: datetime) -> History:
        """The candles, mapped from a nameless file. Asked once: a look at the vault is given once."""
        arguments = {"segment": segment, "candidate_id": candidate_id, "now": now}
        body, seconds = _body("history", arguments), methods()["history"].seconds + MARGIN_SECONDS
        self._reach()
        with tempfile.TemporaryFile() as file:
            try:
                with self._http.stream("POST", "/desk/history", content=body, timeout=seconds) as answer:
                    if answer.status_code != httpx.codes.OK:
                        answer.read()
                        raise _refused(answer)
                    for chunk in answer.iter_bytes():
                        file.write(chunk)
            except httpx.TransportError as error:
                raise OutcomeUnknown(f"the candles of {segment.value} did not arrive: {_told(error)}") from None
            file.flush()
            return read_history(file.fileno())

    def budget(self, now: datetime) -> Budget:
        answer: Budget = self._ask("budget", now=now)
        return answer

    def backtest_settings(self) -> BacktestSettings:
        answer: BacktestSettings = self._ask("backtest_settings")
        return answer

    def submissions(self) -> Sequence[Proposal]:
        answer: Sequence[Proposal] = self._ask("submissions")
        return answer

    def register_candidate(self, proposal: Proposal, now: datetime) -> Candidate:
        answer: Candidate = self._ask("register_candidate", proposal=proposal, now=now)
        return answer

    def candidate(self, candidate_id: str) -> Candidate:
        answer: Candidate = self._ask("candidate", candidate_id=candidate_id)
        return answer

    def candidates(self) -> Sequence[Candidate]:
        answer: Sequence[Candidate] = self._ask("candidates")
        return answer

    def record_stage(self, candidate_id: str, result: StageResult, now: datetime) -> None:
        self._ask("record_stage", candidate_id=candidate_id, result=result, now=now)

    def classify(self, candidate_id: str, change: ChangeClass) -> None:
        self._ask("classify", candidate_id=candidate_id, change=change)

    def record_score(self, score: TrialScore) -> None:
        self._ask("record_score", score=score)

    def scores(self, segment: SegmentName) -> Sequence[TrialScore]:
        answer: Sequence[TrialScore] = self._ask("scores", segment=segment)
        return answer

    def record_searches(self, candidate_id: str | None, count: int, now: datetime) -> None:
        self._ask("record_searches", candidate_id=candidate_id, count=count, now=now)

    def last_search(self) -> datetime | None:
        answer: datetime | None = self._ask("last_search")
        return answer

    def start_paper(self, candidate_id: str, now: datetime) -> PaperTrial:
        answer: PaperTrial = self._ask("start_paper", candidate_id=candidate_id, now=now)
        return answer

    def paper_trials(self) -> Sequence[PaperTrial]:
        answer: Sequence[PaperTrial] = self._ask("paper_trials")
        return answer

    def untold_trials(self, night: str) -> Sequence[PaperTrial]:
        answer: Sequence[PaperTrial] = self._ask("untold_trials", night=night)
        return answer

    def settle_paper(self, trial_id: str, now: datetime) -> Conformance:
        answer: Conformance = self._ask("settle_paper", trial_id=trial_id, now=now)
        return answer

    def approval(self, candidate_id: str, now: datetime) -> str:
        answer: str = self._ask("approval", candidate_id=candidate_id, now=now)
        return answer

    def decide(self, candidate_id: str, approved: bool, by: str, now: datetime) -> str:
        answer: str = self._ask("decide", candidate_id=candidate_id, approved=approved, by=by, now=now)
        return answer

    def take_request(self, flow: str, now: datetime) -> str:
        answer: str = self._ask("take_request", flow=flow, now=now)
        return answer

    def run_again(self, candidate_id: str, now: datetime) -> Rerun:
        answer: Rerun = self._ask("run_again", candidate_id=candidate_id, now=now)
        return answer

    def promote(self, candidate_id: str, now: datetime) -> Promotion:
        answer: Promotion = self._ask("promote", candidate_id=candidate_id, now=now)
        return answer

    def abort_promotion(self, candidate_id: str, now: datetime) -> None:
        self._ask("abort_promotion", candidate_id=candidate_id, now=now)

    def rollback(self, reason: str, now: datetime) -> Promotion:
        answer: Promotion = self._ask("rollback", reason=reason, now=now)
        return answer

    def quarantine(self, source: StrategySource, name: str, sentence: str, now: datetime) -> None:
        self._ask("quarantine", source=source, name=name, sentence=sentence, now=now)

    def record_role(self, night: str, place: str, told: Mapping[str, Any], now: datetime) -> None:
        self._ask("record_role", night=night, place=place, told=told, now=now)

    def reserve_call(self, asked: CallRequest, now: datetime) -> ModelCall:
        answer: ModelCall = self._ask("reserve_call", asked=asked, now=now)
        return answer

    def settle_call(
        self, call_id: str, state: CallState, now: datetime, usage: Usage | None = None,
        reply: Mapping[str, Any] | None = None, error: str = "",
    ) -> ModelCall:
        answer: ModelCall = self._ask(
            "settle_call", call_id=call_id, state=state, now=now, usage=usage, reply=reply, error=error
        )
        return answer

    def spending(self, night: str) -> Spending:
        answer: Spending = self._ask("spending", night=night)
        return answer

    def model_calls(self, night: str) -> Sequence[ModelCall]:
        answer: Sequence[ModelCall] = self._ask("model_calls", night=night)
        return answer

    def predict(self, prediction: Prediction) -> Prediction:
        answer: Prediction = self._ask("predict", prediction=prediction)
        return answer

    def predictions(self) -> Sequence[Prediction]:
        answer: Sequence[Prediction] = self._ask("predictions")
        return answer

    def grade_prediction(self, night: str, grade: Grade, value: float | None, now: datetime) -> None:
        self._ask("grade_prediction", night=night, grade=grade, value=value, now=now)

    def record_night(self, night: str, decision: Mapping[str, Any], now: datetime) -> None:
        self._ask("record_night", night=night, decision=decision, now=now)

    def save_report(self, name: str, text: str) -> str:
        path: str = self._ask("save_report", name=name, text=text)
        return path

    def notify(self, kind: str, severity: str, text: str, now: datetime, key: str = "") -> None:
        self._ask("notify", kind=kind, severity=severity, text=text, now=now, key=key)

    def __getattr__(self, name: str) -> Any:
        """A method of the desk that is newer than the list above: the same call, by name."""
        if name.startswith("_") or name not in methods():
            raise AttributeError(name)
        order = list(methods()[name].arguments.model_fields)
        return lambda *given, **named: self._ask(name, **dict(zip(order, given, strict=False)), **named)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _ask(self, name: str, /, **arguments: Any) -> Any:
        method = methods()[name]
        body, seconds = _body(name, arguments), method.seconds + MARGIN_SECONDS
        send = self._read if method.reads else self._write
        return decode(method.answer, send("POST", f"/desk/{name}", body=body, seconds=seconds))

    def _read(self, verb: str, path: str, *, body: bytes = b"", seconds: float = 30.0) -> bytes:
        for attempt in range(READ_TRIES):
            try:
                return self._send(verb, path, body, seconds)
            except (OutcomeUnknown, Transient):
                if attempt == READ_TRIES - 1:
                    raise
                time.sleep(READ_PAUSE_SECONDS * 2**attempt * (0.5 + random.random()))
        raise AssertionError("the last try returns or raises")

    def _write(self, verb: str, path: str, *, body: bytes = b"", seconds: float = 30.0) -> bytes:
        return self._send(verb, path, body, seconds)

    def _send(self, verb: str, path: str, body: bytes, seconds: float) -> bytes:
        """Raises NotNow when no shell can be reached, OutcomeUnknown when an answer did not come."""
        self._reach()
        try:
            answer = self._http.request(
                verb, path, content=body, timeout=seconds, headers={"content-type": "application/json"}
            )
        except httpx.ConnectError as error:
            raise NotNow(f"no shell answers at {self._where}: {_told(error)}") from None
        except httpx.TransportError as error:
            raise OutcomeUnknown(f"the shell did not answer {path.split('?')[0]}: {_told(error)}") from None
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise _refused(answer)
        return answer.content

    def _reach(self) -> None:
        """Wait for the shell to listen. Raises NotNow when it does not; nothing was sent then."""
        deadline = monotonic() + self._connect_seconds
        while True:
            try:
                self._http.get("/health", timeout=5.0)
                return
            except httpx.TransportError as error:
                if monotonic() >= deadline:
                    told = f"no shell answers at {self._where} ({_told(error)}): is it running? `brain up` starts it"
                    raise NotNow(told) from None
            time.sleep(READ_PAUSE_SECONDS * (0.5 + random.random()))

    @staticmethod
    def _slot_state(text: bytes) -> SlotState:
        state: SlotState = decode(SlotState, text)
        return state


def _path_of(slot: datetime) -> str:
    at = require_utc(slot)
    if at != at.replace(second=0, microsecond=0):
        at = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return f"{at:%Y-%m-%dT%H:%M}Z"


def _body(name: str, arguments: Mapping[str, Any]) -> bytes:
    model = methods()[name].arguments
    given = model.model_construct(**arguments)
    return encode(model, given)


def _refused(answer: httpx.Response) -> Exception:
    try:
        return error_of(Refusal.model_validate_json(answer.content))
    except ValidationError:
        return Transient(f"the shell answered {answer.status_code} with something that is no sentence")


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
