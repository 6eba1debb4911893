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
import errno
import importlib
import json
import os
import platform
import re
import resource
import select
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)

OUT_OF_MEMORY = 86  # exit code after a MemoryError
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
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip
_X32 = 0x40000000  # the other numbering of x86_64

# Landlock: the rights to files that its versions know, and from which version it knows others.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14
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


def main(job: dict[str, Any], report: int) -> None:
    """Run a program and report how it ended; returns in the first process and in the program.

    Args:
        job: ``program``, ``folder``, ``limits`` (``seconds``, ``wall``, ``memory``, ``output``,
            ``files``, ``processes``, ``space``), ``readable`` paths, ``nobody`` (whether root
            becomes nobody), ``outer`` (whether bubblewrap made the namespaces).
        report: The file descriptor for the report.
    """
    if re.search(r"\bsympy\b", job["program"]):
        with suppress(ImportError):
            importlib.import_module("sympy")
    if job["nobody"]:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else it may not write its own /proc/self
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    held = ["namespaces", "tmpfs"] if job["outer"] else _enter_namespaces(job)
    held += ["landlock"] if _landlock_version() else []
    held += ["seccomp"] if platform.machine() in ARCHITECTURES else []
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.monotonic()
    failures, failed = os.pipe()  # an exit code could be the program's own
    first = os.fork()
    if first == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        program = os.fork()
        if program == 0:
            _lock(job, held, failed)
            _run(job["program"])
            return
        os._exit(_code(os.waitpid(program, 0)[1]))
    os.close(failed)
    ended = select.select([os.pidfd_open(first)], [], [], job["limits"]["wall"])[0]
    if not ended:
        os.kill(first, signal.SIGKILL)
    code = _code(os.waitpid(first, 0)[1])
    _kill_descendants()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    values = {
        "cpu": used.ru_utime + used.ru_stime,
        "code": code if ended else None,
        "seconds": time.monotonic() - started,
        "held": held,
        "unlocked": os.read(failures, 1000).decode(errors="replace"),
    }
    os.write(report, json.dumps(values).encode())


def _code(status: int) -> int:
    """Return an exit code as a shell does: 128 and the signal's number where one ended it."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _kill_descendants() -> None:
    """Kill what the program left behind; as their adopter we see all of them."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with suppress(ChildProcessError):
        while True:
            for child in children.read_text(encoding="ascii").split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
            os.waitpid(-1, 0)


def _enter_namespaces(job: dict[str, Any]) -> list[str]:
    """Leave the host's users, processes, network and mounts, where the kernel lets us."""
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC
    if libc.unshare(flags) != 0:
        return []
    with suppress(OSError):  # it is some other user there, then: that matters to nothing below
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    folder = job["folder"].encode()
    size = f"size={job['limits']['space']},nr_inodes=1024,mode=700".encode()
    if (
        libc.mount(None, b"/", None, MS_REC_PRIVATE, None) != 0
        or libc.mount(b"tmpfs", folder, b"tmpfs", MS_NOSUID_NODEV, size) != 0
    ):
        return ["namespaces"]
    os.chdir(folder)
    return ["namespaces", "tmpfs"]


def _lock(job: dict[str, Any], held: list[str], failed: int) -> None:
    """Give up everything that the program does not need.

    Where that fails it says so to the pipe ``failed``, and ends the process.
    """
    try:
        os.closerange(3, failed)
        os.closerange(failed + 1, 1 << 16)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _limit(job["limits"], in_namespace="namespaces" in held, outer=job["outer"])
        _drop_capabilities()
        if "landlock" in held:
            _landlock(job["readable"], job["folder"] if "tmpfs" in held else None)
        if "seccomp" in held:
            _filter_calls(may_fork=job["limits"]["processes"] > 1)
    except OSError as error:
        os.write(failed, f"the sandbox could not be closed: {error}".encode())
        os._exit(1)
    os.close(failed)


def _run(source: str) -> None:
    """Run the program; where it prints nothing, print what it found.

    The sets of this field end in a print, in ``def solution(): ...`` or in ``ans = ...``.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(source, "program", "exec"), names)
        sys.stdout.flush()
        if os.fstat(1).st_size:
            return
        value = names.get("ans", names.get("answer", names.get("result")))
        if callable(names.get("solution")):
            value = names["solution"]()
        if value is not None:
            sys.stdout.write(f"{value}\n")
            sys.stdout.flush()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _limit(limits: dict[str, Any], *, in_namespace: bool, outer: bool) -> None:
    # A program counts its CPU time from its fork. The timer has the fraction of a second; the
    # program may turn it off, and meets the limit then.
    signal.setitimer(signal.ITIMER_PROF, limits["seconds"])
    whole = int(limits["seconds"]) + 1
    # The waiting process, the first of the namespace, and bubblewrap's own, count too.
    processes = limits["processes"] + 2 + outer
    if not in_namespace:
        processes += _tasks_of_user()
    for kind, value in {
        resource.RLIMIT_CPU: whole,
        resource.RLIMIT_AS: limits["memory"],
        resource.RLIMIT_FSIZE: limits["output"],
        resource.RLIMIT_NOFILE: limits["files"],
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _tasks_of_user() -> int:
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            text = status.read_text(encoding="utf-8", errors="replace")
            if f"\nUid:\t{os.getuid()}\t" in text:
                count += int(text.partition("\nThreads:\t")[2].split()[0])
    return count


def _drop_capabilities() -> None:
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused where there are none to drop
    header = struct.pack("=Ii", 0x20080522, 0)  # version 3, this process
    _checked(libc.capset(header, bytes(24)))


def _landlock_version() -> int:
    version: int = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    return max(version, 0)


def _landlock(readable: list[str], writable: str | None) -> None:
    version = _landlock_version()
    every = sum(rights for since, rights in _FILE_RIGHTS.items() if since <= version)
    attributes = _RulesetAttributes(
        every, 3 if version >= _NET_SINCE else 0, 3 if version >= _SCOPE_SINCE else 0
    )
    size = 24 if version >= _SCOPE_SINCE else 16 if version >= _NET_SINCE else 8
    ruleset = _checked(
        libc.syscall(_LANDLOCK_CREATE, ctypes.byref(attributes), ctypes.c_size_t(size), 0)
    )
    devices = dict.fromkeys(("/dev/urandom", "/dev/random", "/dev/zero"), _READ)
    devices["/dev/null"] = _READ | _WRITE | (_TRUNCATE & every)
    rules = {**dict.fromkeys(readable, _READ | _EXECUTE | _LIST), **devices}
    if writable is not None:
        rules[writable] = every
    for path, rights in rules.items():
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_PATH)
            if not Path(path).is_dir():
                rights &= ~_LIST
            rule = _PathRule(rights, descriptor)
            _checked(libc.syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.byref(rule), 0))
            os.close(descriptor)
    _checked(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _filter_calls(*, may_fork: bool) -> None:
    """Have the kernel refuse system calls (seccomp): they fail with EPERM."""
    machine = platform.machine()
    column = list(ARCHITECTURES).index(machine)
    denied = {**_DENIED, **({} if may_fork else _FORKS)}
    numbers = [number for row in denied.values() if (number := row[column]) is not None]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
    code = [
        (load, 0, 0, 4),
        (equal, 1, 0, ARCHITECTURES[machine]),
        (give, 0, 0, kill),
        (load, 0, 0, 0),
    ]
    if machine == "x86_64":
        numbers.insert(0, _X32)
    for number in numbers:
        code += [(at_least if number == _X32 else equal, 0, 1, number), (give, 0, 0, refuse)]
    code.append((give, 0, 0, allow))
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
    instructions = ctypes.create_string_buffer(packed, len(packed))
    program = struct.pack("@HP", len(code), ctypes.addressof(instructions))
    _checked(libc.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(program), 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    # What the program prints goes to standard output; the job comes in before it.
    main(json.loads(sys.stdin.buffer.read()), int(sys.argv[1]))
