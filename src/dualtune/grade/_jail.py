"""Run one program inside limits. Started as a script by ``dualtune.grade.sandbox``, alone.

Standard library only, and nothing of dualtune: it runs in Python's isolated mode, where only the
interpreter's own packages can be imported. In order, each where the machine grants it:

1. sympy is imported where the program names it, so that it costs the program no CPU time.
2. root becomes ``nobody``.
3. namespaces of its own: users, processes, network, mounts, System V IPC. A ``tmpfs`` of limited
   size lies over the temporary folder. Of three processes the first waits, the second is the first
   of the process namespace, at whose end the kernel kills everything in it, and the third is the
   program. Where the kernel refuses them, the first adopts and kills what the program leaves.
4. resource limits, no new privileges, no capabilities, Landlock for files, seccomp for sockets,
   processes and system calls that no program of this kind needs.

It prints nothing of its own; it writes what holds, and how the program ended, as JSON to the file
descriptor that it was given.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import resource
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

libc = ctypes.CDLL(None, use_errno=True)

OUT_OF_MEMORY = 86  # exit code of a program that ended in MemoryError
NOBODY = 65534

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID_NODEV, MS_REC_PRIVATE = 2 | 4, 0x4000 | 0x40000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38

# System call numbers: x86_64, aarch64. Those below 424 differ, from there on they are the same.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_FORKS = {"clone": (56, 220), "fork": (57, None), "vfork": (58, None), "clone3": (435, 435)}
_DENIED = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_by_handle_at": (304, 265),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
    "personality": (135, 92), "memfd_create": (319, 279), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip
_X32 = 0x40000000  # the other numbering of x86_64

# Landlock: what the first, second, third and fifth version of it can forbid
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_READ, _EXECUTE, _LIST, _WRITE_FILE = 1 << 2, 1 << 0, 1 << 3, 1 << 1
_NET_SINCE, _SCOPE_SINCE = 4, 6


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def main(job: dict[str, Any], report: int) -> int:
    """Run a program and report how it ended.

    Args:
        job: ``program``, ``folder``, ``limits`` (seconds, memory, output, files, processes),
            ``readable`` folders, ``nobody`` (whether root becomes nobody), ``outer`` (whether
            bubblewrap made the namespaces).
        report: The file descriptor for the report.

    Returns:
        0; the program's own end is in the report.
    """
    limits = job["limits"]
    if re.search(r"\bsympy\b", job["program"]):
        with suppress(ImportError):
            import sympy  # noqa: F401
    held: list[str] = []
    if job["nobody"]:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        held.append("nobody")
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    started = time.monotonic()
    if job["outer"]:
        held += ["namespaces", "tmpfs"]
    else:
        held += _enter_namespaces(job["folder"], limits)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    first = os.fork()
    if first == 0:
        _be_first(job, held, report)
    code = _wait_for(first)
    _kill_descendants()
    os.write(report, json.dumps({"code": code, "seconds": time.monotonic() - started}).encode())
    return 0


def _be_first(job: dict[str, Any], held: list[str], report: int) -> NoReturn:
    """Be the first process of the namespace: start the program, and end when it ends."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    read_end, write_end = os.pipe()
    program = os.fork()
    if program == 0:
        code = 1
        try:
            os.close(read_end)
            _be_program(job, held, report, write_end)
            code = 0
        finally:
            os._exit(code)
    code = _wait_for(program)
    os._exit(code if code >= 0 else 128 - code)
