"""`brain up` with a stand-in for the shell, as a process of its own, so that it can be killed like the rest.

    python -m tests.deployments.supervisor.up_stand_in FOLDER PORT DATABASE SHELL_MODULE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deployments.opening import settings_for
from deployments.prefect_password import password_of
from deployments.supervisor.system import Plan, System
from shell.home import Home
from shell.log import configure


def main(folder: Path, port: int, database: str, shell_module: str) -> None:
    home = Home.private(folder).create()
    settings = settings_for(home, {"prefect.database": database})
    configure(home, "info", console=False, name="up")
    shell = (sys.executable, "-m", shell_module, str(folder))
    plan = Plan(home=home, settings=settings, root=Path(__file__).parents[3], shell=shell, port=port, password=password_of(home))
    system = System(plan, lambda part, told: print(f"{part}: {told}", file=sys.stderr, flush=True))
    with system.running():
        print(json.dumps(system.facts()), flush=True)
        system.watch()
    print("stopped", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
