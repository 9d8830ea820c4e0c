"""The system call filter: default deny, an allow-list of what computing needs, and death for what only an attack does.

Two classic BPF programs (linux/filter.h), both over all threads. The first answers everything that is not allowed with
EPERM, so that a late import or a lookup fails like any other missing file. The second, put on top once the first has been
tried out (shell.host.probes), kills the process at calls that honest code never makes; the parent sees SIGSYS.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import signal
from collections.abc import Collection, Iterable
from typing import NamedTuple

from shell.host.kernel import system_call
from shell.host.syscalls import Machine

# linux/seccomp.h
_SET_MODE_FILTER = 1
_ALL_THREADS = 1
KILL = 0x80000000
ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
# linux/bpf_common.h: load a word, jump if equal, jump if bits are set, return.
_LOAD, _JUMP_EQUAL, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]. Low words, as the kernel itself reads
# descriptors, signals and protections; both machines are little-endian.
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_CLONE_THREAD = 0x00010000
_X32_BIT = 0x40000000


def denied(reason: int) -> int:
    """The filter's answer "fail with errno `reason`"."""
    return _ERRNO | reason


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# What numpy and polars need to compute, to keep time and to wait. No open, stat, socket or fork: not even a look.
_PLAIN = _words("""
    futex poll ppoll sched_yield setitimer madvise munmap mremap brk clock_gettime clock_getres clock_nanosleep nanosleep
    gettimeofday getrandom getpid gettid getrusage sched_getaffinity rt_sigprocmask rt_sigreturn sigaltstack
    restart_syscall epoll_wait epoll_pwait close exit exit_group
""")
# Only an attack makes these: other processes, the network, mounts and namespaces, the kernel's own inside, identity,
# the machine's clock. Files are not among them: a library that looks for one late must merely not find it.
ATTACKS = _words("""
    execve execveat fork vfork ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp kill
    rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal pidfd_getfd
    socket socketpair connect bind listen accept accept4
    mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    name_to_handle_at open_by_handle_at fanotify_init quotactl acct swapon swapoff sethostname setdomainname
    bpf io_uring_setup io_uring_enter io_uring_register userfaultfd perf_event_open keyctl add_key request_key init_module
    finit_module delete_module kexec_load kexec_file_load reboot iopl ioperm modify_ldt memfd_create memfd_secret
    setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset personality seccomp
    settimeofday clock_settime adjtimex clock_adjtime
""")


class Instruction(NamedTuple):
    """struct sock_filter. Jumps count the instructions skipped."""

    code: int
    if_true: int
    if_false: int
    value: int


class _Step(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Step)))


def deny_program(machine: Machine, pid: int, readable: Collection[int], writable: Collection[int]) -> list[Instruction]:
    """Allows computing in process `pid` with `read` and `write` on these descriptors only, and denies the rest.

    It still lets `seccomp` itself pass, for the second program, which closes that.
    """
    no = denied(errno.EPERM)
    program = [
        *_entry(machine, no),
        *_call(machine, "read", [*_if_one_of(0, readable, ALLOW), _answer(no)]),
        *_call(machine, "write", [*_if_one_of(0, writable, ALLOW), _answer(no)]),
        # Memory that can be executed would be machine code of the strategy's own; a mapped file would be a file read.
        *_call(
            machine,
            "mmap",
            [*_if_bits(2, mmap.PROT_EXEC, no), *_if_bits(3, mmap.MAP_ANONYMOUS, ALLOW), _answer(no)],
        ),
        *_call(machine, "mprotect", [*_if_bits(2, mmap.PROT_EXEC, no), _answer(ALLOW)]),
        # abort(), by which Rust and C end a process that ran out of memory.
        *_call(machine, "tgkill", [*_unless_equal(0, pid, no), *_if_one_of(2, (signal.SIGABRT,), ALLOW), _answer(no)]),
        # EAGAIN is what libraries know how to take when no thread can be had.
        *_call(machine, "clone", [*_if_bits(0, _CLONE_THREAD, denied(errno.EAGAIN)), _answer(no)]),
        # Its arguments lie in memory, where no filter sees them; libc then falls back to clone.
        *_call(machine, "clone3", [_answer(denied(errno.ENOSYS))]),
        *_call(
            machine,
            "seccomp",
            [*_unless_equal(0, _SET_MODE_FILTER, no), *_unless_equal(1, _ALL_THREADS, no), _answer(ALLOW)],
        ),
    ]
    for name in _PLAIN:
        program += _call(machine, name, [_answer(ALLOW)])
    return [*program, _answer(no)]


def kill_program(machine: Machine, pid: int) -> list[Instruction]:
    """Kills process `pid` at the calls of ATTACKS, at a signal to another process and at the start of a new process."""
    program = _entry(machine, KILL)
    # The calls of every day first: with arguments checked in the other program, they come past here each time.
    for name in ("read", "write", "mmap", "mprotect"):
        program += _call(machine, name, [_answer(ALLOW)])
    program += _call(machine, "clone", [*_if_bits(0, _CLONE_THREAD, ALLOW), _answer(KILL)])
    program += _call(machine, "tgkill", [*_unless_equal(0, pid, KILL), _answer(ALLOW)])
    for name in ATTACKS:
        program += _call(machine, name, [_answer(KILL)])
    return [*program, _answer(ALLOW)]


def install(program: Iterable[Instruction]) -> None:
    """Put a program on every thread of this process for good. Raises OSError. Needs PR_SET_NO_NEW_PRIVS."""
    steps = [_Step(*instruction) for instruction in program]
    array = (_Step * len(steps))(*steps)
    loaded = _Program(len(steps), array)
    refused_by = system_call("seccomp", _SET_MODE_FILTER, _ALL_THREADS, ctypes.pointer(loaded))
    if refused_by:
        raise OSError(errno.ESRCH, f"thread {refused_by} could not be filtered", "seccomp")


def _entry(machine: Machine, foreign: int) -> list[Instruction]:
    """Kill at calls of another architecture, answer `foreign` to x86's second numbering, else leave the number loaded."""
    return [
        Instruction(_LOAD, 0, 0, _ARCH),
        Instruction(_JUMP_EQUAL, 1, 0, machine.audit_arch),
        _answer(KILL),
        Instruction(_LOAD, 0, 0, _NUMBER),
        Instruction(_JUMP_BITS, 0, 1, _X32_BIT),
        _answer(foreign),
    ]


def _call(machine: Machine, name: str, decision: list[Instruction]) -> list[Instruction]:
    """`decision`, which must end in an answer, for the call `name`; nothing where the machine has no such call."""
    number = machine.numbers.get(name)
    return [] if number is None else [Instruction(_JUMP_EQUAL, 0, len(decision), number), *decision]


def _answer(action: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, action)


def _load_argument(index: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _if_one_of(index: int, values: Collection[int], action: int) -> list[Instruction]:
    program = [_load_argument(index)]
    for value in sorted(values):
        program += [Instruction(_JUMP_EQUAL, 0, 1, value), _answer(action)]
    return program


def _unless_equal(index: int, value: int, action: int) -> list[Instruction]:
    return [_load_argument(index), Instruction(_JUMP_EQUAL, 1, 0, value), _answer(action)]


def _if_bits(index: int, bits: int, action: int) -> list[Instruction]:
    return [_load_argument(index), Instruction(_JUMP_BITS, 0, 1, bits), _answer(action)]
