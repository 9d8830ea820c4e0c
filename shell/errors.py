"""The error tree, by what the caller does next.

BrainError
├── Rejected            a known "no": nothing happened; tell the person, or record it, and carry on
│   ├── BadInput        something a person wrote is wrong: says what, where, and what is allowed
│   │   ├── SettingsError   every mistake of the settings files at once
│   │   ├── DataError       a data folder, file or window that cannot be used
│   │   └── UsageError      a command or parameter that makes no sense together
│   ├── StrategyRejected    wall 1 or the contract refused a strategy file
│   └── NotNow          the request is valid, the state is not (halted, budget spent, another instance runs)
│       └── DatabaseBusy    another process writes to the database: nothing was written, it may be tried again
├── StrategyFault       the strategy raised, hung, died or answered nonsense: counted, the host is restarted
├── OutcomeUnknown      it may have happened: reconcile, never resend
├── Transient           a read failed: retry with backoff
└── Fatal               stop trading cleanly: a broken invariant, a lost database
    └── DatabaseFailed  the disk is full or fails: nothing was written, it may be once that is mended
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class BrainError(Exception):
    """Root of every error this product raises on purpose; `str(error)` is a sentence for a person."""


class Rejected(BrainError):
    """A known no. Nothing happened."""


class BadInput(Rejected):
    """Something a person wrote is wrong; the sentence says what, where and what is allowed."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a settings file: where it is, what was found, what is allowed. Without a key, of the whole file."""

    file: str
    key: str
    value: str
    allowed: str

    def __str__(self) -> str:
        if not self.key:
            return f"{self.file}: {self.allowed}"
        return f"{self.file}: {self.key} = {self.value}: {self.allowed}"


class SettingsError(BadInput):
    """All mistakes found in the settings, not only the first."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        noun = "mistake" if len(self.mistakes) == 1 else "mistakes"
        super().__init__(f"{len(self.mistakes)} {noun} in the settings:\n{lines}")


class DataError(BadInput):
    """Market data that is absent, of another shape, or too short for what was asked."""


class UsageError(BadInput):
    """Parameters that make no sense together, such as an end before a start."""


class StrategyRejected(Rejected):
    """A strategy file that may not run; `findings` are sentences with line numbers."""

    def __init__(self, message: str, findings: Sequence[str] = ()) -> None:
        self.findings = tuple(findings)
        super().__init__(message)


class NotNow(Rejected):
    """A valid request in a state that does not allow it."""


class DatabaseBusy(NotNow):
    """Another process holds the database: nothing was written, and it may be tried again."""


class StrategyFault(BrainError):
    """The strategy failed inside the host. `kind` is one of error, timeout, killed, bad_reply, attempt.

    "attempt": the kernel ended it for a call that honest code never makes (another process, the network, the kernel's
    inside). It is no mistake to be mended: the version is quarantined and the operator told.
    """

    def __init__(self, kind: str, message: str, line: int | None = None) -> None:
        self.kind = kind
        self.line = line
        super().__init__(message)


class OutcomeUnknown(BrainError):
    """A write whose result is not known. Keep the reservation, look it up, never resend."""


class Transient(BrainError):
    """A read that may be tried again."""


class Fatal(BrainError):
    """An invariant is broken: stop opening positions, say so, keep what is protected protected."""


class DatabaseFailed(Fatal):
    """The disk is full, or the database cannot be written: nothing was, and it may be once that is mended."""
