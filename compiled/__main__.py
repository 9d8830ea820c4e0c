"""`python -m compiled`: make the compiled core of these sources, prove it, and put it at `.compiled/`.

One that stands is kept; `--anew` makes it again. Exit codes: 0 made or kept, 1 refused (with what differs), 2 something is
missing here that compiling needs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from compiled.proof import prove
from compiled.tree import CannotCompile, make, missing
from shell.compiled import find_tree


def main(arguments: Sequence[str]) -> int:
    """Build, and say how long it took."""
    standing = find_tree().path
    if standing is not None and "--anew" not in arguments:
        print(f"{standing} is the compiled core of these sources")
        return 0
    lacking = missing()
    if lacking:
        print(lacking, file=sys.stderr)
        return 2
    begun = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - begun:4.0f} s  {line}", flush=True)

    try:
        made = make(Path(__file__).resolve().parents[1], prove, tell)
    except CannotCompile as error:
        print(f"no compiled core was made: {error}", file=sys.stderr)
        return 1
    tell(f"{made} is the compiled core of these sources")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
