"""Make a process and all its children unable to reach the network, and leave a trace of each attempt.

Put this folder's `sitecustomize` (see `environment`) on the path of a process that is started. Two guards, because
neither sees everything:

- An audit hook sees what Python does (connect, send, look up a name), refuses it and writes who asked.
- On Linux a seccomp filter kills the process that asks the kernel for an Internet socket: C libraries with a network
  client of their own (ONNX Runtime has one) never pass Python's hook.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

_LOG = "FLORA_TEST_NETWORK_LOG"
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# (AUDIT_ARCH, number of the system call `socket`), from linux/audit.h and asm/unistd.h
_KERNEL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # of the classic BPF machine, linux/bpf_common.h
_KILL_PROCESS, _ALLOW = 0x80000000, 0x7FFF0000  # linux/seccomp.h


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


def environment(folder: Path) -> dict[str, str]:
    """What a process needs in its environment to be cut off; `folder` gets a sitecustomize.py and the log."""
    folder.mkdir(parents=True, exist_ok=True)
    code = "import no_network\nno_network.cut_off()\n"
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(folder), str(Path(__file__).resolve().parent), str(root)])
    return {"PYTHONPATH": path, _LOG: str(folder / "attempts.txt")}


def attempts(folder: Path) -> str:
    """What Python code tried, with its stack; "" if nothing."""
    log = folder / "attempts.txt"
    return log.read_text(encoding="utf-8") if log.exists() else ""


def cut_off() -> None:
    """Guard this process from here on (for sitecustomize)."""
    sys.addaudithook(_refuse)
    if sys.platform == "linux" and platform.machine() in _KERNEL:
        _forbid_sockets(*_KERNEL[platform.machine()])


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    to = event in ("socket.connect", "socket.sendto", "socket.sendmsg")
    name = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
    if name or (to and arguments[0].family in _FAMILIES):
        with Path(os.environ[_LOG]).open("a", encoding="utf-8") as log:
            log.write(f"{event} {arguments[name - 1 :]}\n{''.join(traceback.format_stack())}\n")
        raise OSError(f"cut off by the test: {event}")


def _forbid_sockets(architecture: int, call: int) -> None:
    """The process dies of SIGSYS if it, or any child, makes an Internet socket. Raises OSError."""
    arch, number, first_argument = 4, 0, 16  # offsets in struct seccomp_data
    lines = [
        (_LOAD, 0, 0, arch),
        (_JUMP_IF_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, number),
        (_JUMP_IF_EQUAL, 0, 3, call),
        (_LOAD, 0, 0, first_argument),
        (_JUMP_IF_EQUAL, 2, 0, int(_FAMILIES[0])),
        (_JUMP_IF_EQUAL, 1, 0, int(_FAMILIES[1])),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    program = _Program(len(lines), (_Instruction * len(lines))(*(_Instruction(*line) for line in lines)))
    library = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, filter_mode = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
    if library.prctl(no_new_privileges, 1, 0, 0, 0) or library.prctl(seccomp, filter_mode, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")
