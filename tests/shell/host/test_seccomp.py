"""The system call filter, run call by call as the kernel would, for both machines, on whatever machine this is."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from shell.host.seccomp import ALLOW, ATTACKS, KILL, Instruction, denied, deny_program, kill_program
from shell.host.syscalls import AARCH64, X86_64, Machine

PID = 4242
SOCKET, POLARS, STDERR = 5, 3, 2
EPERM, EAGAIN, ENOSYS = denied(errno.EPERM), denied(errno.EAGAIN), denied(errno.ENOSYS)
READ_WRITE, EXECUTE = 0x3, 0x4
PRIVATE, ANONYMOUS = 0x02, 0x20
THREAD_FLAGS = 0x003D0F00
SIGCHLD, SIGABRT, SIGKILL = 17, 6, 9
OPENAT = {"x86_64": 257, "aarch64": 56}
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}

machines = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=lambda machine: machine.name)


def run(program: Sequence[Instruction], arch: int, number: int, arguments: Sequence[int]) -> int:
    """The answer of one program: the four instructions that the filter uses, as in the kernel's interpreter."""
    words = {0: number, 4: arch, **{16 + 8 * at: value & 0xFFFFFFFF for at, value in enumerate(arguments)}}
    loaded, at = 0, 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case 0x20:
                loaded = words[value]
            case 0x15:
                at += if_true if loaded == value else if_false
            case 0x45:
                at += if_true if loaded & value else if_false
            case 0x06:
                return value
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


def answer(machine: Machine, call: str | int, *arguments: int, arch: int | None = None, killing: bool = True) -> int:
    """What the kernel does with both programs on: the strictest answer wins, which is the lowest as a signed number."""
    number = machine.numbers[call] if isinstance(call, str) else call
    programs = [deny_program(machine, PID, {SOCKET, POLARS}, {SOCKET, POLARS, STDERR})]
    if killing:
        programs.append(kill_program(machine, PID))
    given = (*arguments, *[0] * (6 - len(arguments)))
    answers = [run(program, machine.audit_arch if arch is None else arch, number, given) for program in programs]
    return min(answers, key=lambda value: value - (1 << 32) if value >= 1 << 31 else value)


@machines
def test_numbers_are_those_of_the_kernels_headers(machine: Machine) -> None:
    header = next((Path(name) for name in HEADERS[machine.name] if Path(name).exists()), None)
    if header is None:
        pytest.skip("this machine has no kernel headers")
    known = dict(re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", header.read_text(), re.MULTILINE))
    checked = {name: number for name, number in machine.numbers.items() if name in known}
    assert len(checked) > 100
    assert {name: int(known[name]) for name in checked} == checked


@machines
def test_what_is_on_no_list_is_denied(machine: Machine) -> None:
    listed = set(machine.numbers.values())
    for number in [*range(600), 100_000]:
        if number not in listed:
            assert answer(machine, number) == EPERM
    assert answer(machine, OPENAT[machine.name]) == EPERM


@machines
def test_computing_waiting_and_keeping_time_are_allowed(machine: Machine) -> None:
    for name in (
        *("futex", "ppoll", "sched_yield", "setitimer", "madvise", "munmap", "mremap", "brk", "clock_gettime"),
        *("getrandom", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "epoll_pwait", "close", "exit", "exit_group"),
    ):
        assert answer(machine, name) == ALLOW, name


@machines
def test_an_attack_is_denied_by_the_first_filter_and_killed_by_both(machine: Machine) -> None:
    known = [name for name in ATTACKS if name in machine.numbers]
    assert len(known) > 70
    assert {name for name in known if answer(machine, name, killing=False) != EPERM} == set()
    assert {name for name in known if answer(machine, name) != KILL} == set()


@machines
def test_reading_and_writing_only_where_it_is_given(machine: Machine) -> None:
    for descriptor in range(64):
        assert answer(machine, "read", descriptor) == (ALLOW if descriptor in (SOCKET, POLARS) else EPERM)
        assert answer(machine, "write", descriptor) == (ALLOW if descriptor in (SOCKET, POLARS, STDERR) else EPERM)
    # The kernel too looks at the low half of a register only: this is descriptor 5.
    assert answer(machine, "read", (1 << 32) + SOCKET) == ALLOW
    assert answer(machine, "write", 0xFFFFFFFF) == EPERM


@machines
def test_memory_may_be_had_but_not_executed_and_no_file_mapped(machine: Machine) -> None:
    anonymous = PRIVATE | ANONYMOUS
    assert answer(machine, "mmap", 0, 4096, READ_WRITE, anonymous) == ALLOW
    assert answer(machine, "mmap", 0, 4096, READ_WRITE | EXECUTE, anonymous) == EPERM
    assert answer(machine, "mmap", 0, 4096, READ_WRITE, PRIVATE, SOCKET) == EPERM
    assert answer(machine, "mprotect", 0, 4096, READ_WRITE) == ALLOW
    assert answer(machine, "mprotect", 0, 4096, EXECUTE) == EPERM


@machines
def test_no_thread_and_no_process_is_made(machine: Machine) -> None:
    assert answer(machine, "clone", THREAD_FLAGS) == EAGAIN
    assert answer(machine, "clone", SIGCHLD) == KILL
    assert answer(machine, "clone3") == ENOSYS


@machines
def test_signals_reach_only_this_process_and_only_to_abort_it(machine: Machine) -> None:
    assert answer(machine, "tgkill", PID, PID + 1, SIGABRT) == ALLOW
    assert answer(machine, "tgkill", PID, PID, SIGKILL) == EPERM
    assert answer(machine, "tgkill", PID - 1, PID - 1, SIGABRT) == KILL


@machines
def test_the_second_filter_can_be_put_on_and_no_third(machine: Machine) -> None:
    assert answer(machine, "seccomp", 1, 1, killing=False) == ALLOW
    assert answer(machine, "seccomp", 1, 0, killing=False) == EPERM
    assert answer(machine, "seccomp", 0, 0, killing=False) == EPERM
    assert answer(machine, "seccomp", 1, 1) == KILL


@machines
def test_calls_of_another_numbering_are_not_let_in(machine: Machine) -> None:
    i386 = 0x40000003
    assert answer(machine, "getpid", arch=i386) == KILL
    x32 = 0x40000000
    assert answer(machine, machine.numbers["getpid"] + x32) == KILL
    assert answer(machine, machine.numbers["getpid"] + x32, killing=False) == EPERM


@machines
def test_programs_are_short_enough_for_the_kernel(machine: Machine) -> None:
    for program in (deny_program(machine, PID, range(3, 12), range(2, 12)), kill_program(machine, PID)):
        assert len(program) <= 4096
        assert all(0 <= jump <= 255 for step in program for jump in (step.if_true, step.if_false))
