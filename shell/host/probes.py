"""Attempts that must fail inside the wall, made by our own code before any strategy is loaded.

Run under the first filter of `shell.host.seccomp`, which denies with an errno what the second answers with death. Each is
harmless where it succeeds.
"""

from __future__ import annotations

import _thread
import errno
import mmap
import os
import signal
from collections.abc import Callable
from typing import Final

from shell.host.kernel import system_call

DENIED: Final = "denied"
ALLOWED: Final = "allowed"
# By a filter or a right that is missing; by a limit on processes.
_REFUSALS = (errno.EPERM, errno.EACCES, errno.EAGAIN)
_AF_INET, _SOCK_DGRAM = 2, 2
_PAGE = 4096


def run(parent: int) -> dict[str, str]:
    """The outcome of every probe, DENIED or ALLOWED. `parent` is the process that started this one."""
    outcomes = {}
    for name, attempt in PROBES.items():
        try:
            attempt(parent)
            outcomes[name] = ALLOWED
        except OSError as error:
            # Another reason (no such file) means that the kernel let the call in and looked.
            outcomes[name] = DENIED if error.errno in _REFUSALS else ALLOWED
        except RuntimeError:
            # "can't start new thread": Python does not say which errno it was.
            outcomes[name] = DENIED
    return outcomes


def _open_file(_: int) -> None:
    os.close(os.open(os.__file__, os.O_RDONLY))


def _list_folder(_: int) -> None:
    os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY))


def _write_file(_: int) -> None:
    os.close(os.open(os.devnull, os.O_WRONLY))


def _socket(_: int) -> None:
    os.close(system_call("socket", _AF_INET, _SOCK_DGRAM, 0))


def _fork(_: int) -> None:
    child = system_call("clone", int(signal.SIGCHLD), None, None, None, None)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _thread_start(_: int) -> None:
    _thread.start_new_thread(int, ())


def _execute(_: int) -> None:
    system_call("execve", b"", None, None)


def _signal_parent(parent: int) -> None:
    os.kill(parent, 0)


def _parent_memory(parent: int) -> None:
    # Nothing is read, so the kernel does not ask for the right to: only whether the call is let in shows.
    system_call("process_vm_readv", parent, None, 0, None, 0, 0)


def _executable_memory(_: int) -> None:
    mmap.mmap(-1, _PAGE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def _namespace(_: int) -> None:
    system_call("unshare", 0)


PROBES: Final[dict[str, Callable[[int], None]]] = {
    "open_file": _open_file,
    "list_folder": _list_folder,
    "write_file": _write_file,
    "socket": _socket,
    "fork": _fork,
    "thread": _thread_start,
    "execute": _execute,
    "signal_parent": _signal_parent,
    "parent_memory": _parent_memory,
    "executable_memory": _executable_memory,
    "namespace": _namespace,
}
