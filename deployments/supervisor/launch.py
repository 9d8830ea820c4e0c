"""Become another program, after arranging two things that a program cannot arrange for itself. Standard library alone.

    python launch.py [--with-parent] [--as-user] PROGRAM ARGUMENTS...

--with-parent  be ended (SIGTERM) when the parent ends, however that happens. Linux; elsewhere nothing.
--as-user      be an ordinary user in a user namespace, with root's files: PostgreSQL refuses to run as root. Linux.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
ORDINARY = 1000
CANNOT = 71


def main(arguments: list[str]) -> None:
    """Does not return. Exits with CANNOT and a sentence where a user namespace is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    while arguments and arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option == "--as-user" and os.geteuid() == 0:
            if not hasattr(libc, "unshare") or libc.unshare(CLONE_NEWUSER):
                sys.exit(f"no user namespace can be made here: {os.strerror(ctypes.get_errno())}")
            for name, text in (("setgroups", "deny"), ("uid_map", f"{ORDINARY} 0 1"), ("gid_map", f"{ORDINARY} 0 1")):
                with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                    file.write(text)
        elif option == "--with-parent":
            parent = os.getppid()
            if hasattr(libc, "prctl"):
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:
                sys.exit("the parent ended at once")
    # What a shell or a test runner made us ignore would stay ignored in the program: it could not be stopped.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
