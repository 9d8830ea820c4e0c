"""What a reviewing model is shown: two sources without comments, line by line, and nothing about who, why or how well."""

from __future__ import annotations

from shell.host.port import StrategySource
from shell.trials.candidate import source_hash
from tasks.ai import briefing
from tasks.ai.dialogue import Unusable
from tasks.ai.provider import ReviewCase
from tasks.ai.replies import CODES
from tasks.ai.sections import Section, Writer, without_comments

MAIN_FILE = "strategy.py"
SHOWN_MAX = 60_000


def review_slot(case: ReviewCase) -> str:
    """One review a night for one program, whoever hands it in."""
    return f"review:{source_hash(case.proposed)}"


def shown_case(case: ReviewCase) -> dict[str, object]:
    """The prompt's sections. Raises Unusable for code that cannot be shown whole."""
    proposed = _files(case.proposed)
    size = sum(len(text) for text in proposed.values())
    if size > SHOWN_MAX:
        raise Unusable(f"the code is {size} characters long, more than a reviewer is shown", final=True)
    return {
        "active": _sections("runs now", _files(case.active)), "proposed": _sections("proposed", proposed),
        "constraints": Section(name="limits", writer=Writer.SHELL, text="\n".join(briefing.limits(case.risk))),
        "codes": ", ".join(CODES),
    }


def _files(source: StrategySource) -> dict[str, str]:
    texts = {MAIN_FILE: source.code, **{f"skills/{name}.py": text for name, text in sorted(source.skills.items())}}
    try:
        return {name: numbered(without_comments(text)) for name, text in texts.items()}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unusable(f"the code does not parse: {error}"[:200], final=True) from None


def numbered(code: str) -> str:
    """Every line with its number: models do not count well."""
    return "\n".join(f"{number:4d} {line}".rstrip() for number, line in enumerate(code.split("\n"), 1))


def _sections(title: str, files: dict[str, str]) -> str:
    """One section a file, together no longer than may be shown."""
    left, sections = SHOWN_MAX, []
    for name, text in files.items():
        sections.append(str(Section(name=f"{title}: {name}", writer=Writer.AUTHOR, text=text, chars_max=left)))
        left = max(left - len(text), 0)
    return "\n\n".join(sections)
