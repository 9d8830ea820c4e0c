"""What the sandbox says: a verdict, and for each fault where it is, what it is and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shell.errors import StrategyFault


class SandboxVerdict(StrEnum):
    PASSED = "passed"
    REJECTED = "rejected"
    ERROR = "error"
    TIMEOUT = "timeout"
    KILLED = "killed"
    NONDETERMINISTIC = "nondeterministic"


ATTEMPT = "ATTEMPT"
NONDETERMINISTIC = "NONDETERMINISTIC"
STATE = "STATE"
INTERVAL = "INTERVAL"

_VERDICTS = {
    "timeout": SandboxVerdict.TIMEOUT,
    "killed": SandboxVerdict.KILLED,
    "attempt": SandboxVerdict.KILLED,
}
# One sentence for each code: what to do about it.
ADVICE: Mapping[str, str] = {
    # wall 1
    "ATTRIBUTE": "use only public attributes, and of the libraries only what computes",
    "CLOCK": "take the time from analyze's `timestamp`; the same market must give the same answer at any hour",
    "CONTRACT": "write `class Strategy` with the methods of shell.contract.StrategyProtocol and their parameters",
    "DUNDER": "do without names of the form __name__, except methods that a class of yours defines",
    "FORMAT": "write an f-string instead",
    "IMPORT": "import only numpy, polars, the parts of the standard library that compute, shell.contract, shell.indicators "
    "and strategy.skills",
    "NAME": "choose another way that needs no access to the interpreter",
    "RANDOM": "give the generator a fixed seed, or do without chance",
    "SIZE": "shorten the file; tables of data do not belong in a strategy",
    "SKILL_NAME": "name the skill's file with a plain identifier",
    "SYNTAX": "make the file valid Python first",
    # wall 2 and the contract at run time
    "ERROR": "guard this line against the values of this market: it must not raise",
    "BAD_REPLY": "return what shell.contract describes: a list of Signal with finite numbers and known symbols, and a dict of "
    "plain values as state",
    INTERVAL: "make scan_interval_minutes a whole number from 1 to 1440, the same after every start",
    "TIMEOUT": "do less at each scan: no unbounded loop, no waiting; use shell.indicators, which go on where they left off",
    "KILLED": "use less memory and leave the process alone; a crash inside a library usually means far too large an array",
    ATTEMPT: "remove every call that opens, connects, starts or looks at anything outside: one try ends a version for good",
    NONDETERMINISTIC: "decide only on markets, portfolio and timestamp: no clock, no unseeded chance, no order of a set, no "
    "id() or hash(); sort what you loop over",
    STATE: "return all that analyze remembers from get_state, change nothing in it, and take all of it back in load_state",
}
# What an exception of a strategy usually means here; the name comes from the child and is only looked up.
_ON_EXCEPTION: Mapping[str, str] = {
    "ZeroDivisionError": "check the divisor before dividing: ranges, volumes, cash and total value can be 0",
    "KeyError": "ask with .get(): a symbol without a price is not in `markets`, and a new position is not in your own tables",
    "AttributeError": "check the name, and that __init__ or initialize has set it",
    "IndexError": "check the length first: a frame can be empty or have a single row",
    "MemoryError": "use less memory: the process has a fixed budget",
    "RecursionError": "use a loop instead of a recursion",
    "PermissionError": "the wall refused this: a strategy reads and writes nothing outside its arguments",
    "BlockingIOError": "the wall refused this: a strategy starts nothing and prints little",
    "ModuleNotFoundError": "import at the top of the file, and only what the policy allows: nothing can be loaded later",
    "ImportError": "import at the top of the file, and only what the policy allows: nothing can be loaded later",
}
_EXCEPTION = re.compile(r"(?:line \d+: )?(?:strategy/skills/\w+\.py line \d+: )?([A-Za-z_]\w*)")
_LINE = re.compile(r"^line \d+: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReport:
    """What the sandbox found. `errors` have the keys line, code, message and advice; `answers_hash` covers every signal and the
    final state; `signals` are those of the sample market; `isolation` is what the child says of its wall, and
    `isolation_gap` what is missing of it in a sentence, empty where nothing is; `seconds` is wall time, for display."""

    verdict: SandboxVerdict
    errors: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    answers_hash: str
    isolation: dict[str, Any]
    isolation_gap: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.verdict is SandboxVerdict.PASSED

    @property
    def attempt(self) -> str:
        """What the strategy tried that honest code never does, empty if it tried nothing."""
        return next((str(error["message"]) for error in self.errors if error["code"] == ATTEMPT), "")

    def as_dict(self) -> dict[str, Any]:
        """JSON values, `seconds` included."""
        return {
            "verdict": self.verdict.value,
            "errors": self.errors,
            "signals": self.signals,
            "answers_hash": self.answers_hash,
            "isolation": self.isolation,
            "isolation_gap": self.isolation_gap,
            "seconds": self.seconds,
        }


class Failure(Exception):
    """A fault with its verdict; `fatal` when trying anything further makes no sense."""

    def __init__(
        self,
        verdict: SandboxVerdict,
        code: str,
        message: str,
        line: int | None = None,
        advice: str = "",
        *,
        fatal: bool = False,
    ) -> None:
        self.verdict, self.fatal = verdict, fatal
        self.error: dict[str, Any] = {"line": line, "code": code, "message": message, "advice": advice or ADVICE[code]}
        super().__init__(message)


def failure_of(fault: StrategyFault, where: str, advice: str = "") -> Failure:
    """A fault of the host as a failure; `where` names the market and the scan."""
    text = _LINE.sub("", str(fault)) if fault.line else str(fault)
    code = INTERVAL if text.startswith("scan_interval_minutes") else fault.kind.upper()
    found = _EXCEPTION.match(text)
    specific = _ON_EXCEPTION.get(found[1], "") if found and code == "ERROR" else ""
    return Failure(
        _VERDICTS.get(fault.kind, SandboxVerdict.ERROR), code, f"{where}: {text}", fault.line,
        "; ".join(filter(None, (specific, advice))), fatal=fault.kind not in ("error", "bad_reply"),
    )  # fmt: skip
