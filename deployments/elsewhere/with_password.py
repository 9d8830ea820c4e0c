"""Prefect's own command, with the password of this project's Prefect in its environment: for systemd, which knows none.

`python -m deployments.elsewhere.with_password server start ...` becomes `prefect server start ...`. Server, worker and
conductor find the same password (`deployments.prefect_password`), whichever of them starts first and makes it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from deployments.prefect_password import password_of
from shell.errors import BrainError
from shell.home import Home


def main(arguments: Sequence[str]) -> NoReturn:
    """Becomes Prefect. Exits with 1 and a sentence where there is no password to start it with."""
    try:
        password = password_of(Home.project())
    except BrainError as error:
        sys.exit(f"refused: {error}")
    environment = {**os.environ, **password.of_server(), **password.of_client()}
    os.execve(sys.executable, [sys.executable, "-m", "prefect", *arguments], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
