"""`python -m compiled`: make the compiled core of these sources, prove it, and put it at `.compiled/`.

Exit codes: 0 made, 1 refused (with what differs), 2 something is missing here that compiling needs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from compiled.proof import prove
from compiled.tree import CannotCompile, make, missing


def main() -> int:
    """Build, and say how long it took."""
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
    sys.exit(main())
