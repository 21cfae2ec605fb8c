"""Becomes a command that ends when its parent ends, kill -9 included: `python -I -S child.py PARENT SIGNAL IDENTITY COMMAND…`.

A small program and not a `preexec_fn`, because that runs Python between fork and exec, where a second thread can hang it.
PARENT is the pid that must live, SIGNAL what the command gets otherwise. IDENTITY is `same`, or for root, whom PostgreSQL
refuses to serve, `namespace` (a user namespace without a root) or `nobody`. Standard library only, few imports: it is run often.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP, CAP_DAC_OVERRIDE, CLONE_NEWUSER = 1 << 2, 1, 0x10000000
CAPABILITY_VERSION = 0x20080522


def succeed(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter_namespace(libc: ctypes.CDLL) -> None:
    """Our files stay ours: only the number by which the process knows itself changes."""
    succeed(libc.unshare(CLONE_NEWUSER))


def become_nobody(libc: ctypes.CDLL) -> None:
    """Keeps one right, to pass directories such as /root that nobody else may enter."""
    import pwd

    nobody, right = pwd.getpwnam("nobody"), 1 << CAP_DAC_OVERRIDE
    succeed(libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setresgid(*[nobody.pw_gid] * 3)
    os.setresuid(*[nobody.pw_uid] * 3)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(right, right, right, 0, 0, 0)
    succeed(libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), effective_permitted_inheritable))
    succeed(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))


def become(parent: int, death: int, identity: str, command: list[str]) -> None:
    """On Linux the kernel watches the parent. It forgets that when the identity changes, so that comes first."""
    libc = ctypes.CDLL(None, use_errno=True)
    if identity == "namespace":
        enter_namespace(libc)
    elif identity == "nobody":
        become_nobody(libc)
    succeed(libc.prctl(PR_SET_PDEATHSIG, death, 0, 0, 0))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is ignored stays so in the command
    if os.getppid() == parent:  # otherwise it ended before the kernel was asked
        os.execv(command[0], command)


def watch(parent: int, death: int, command: list[str]) -> int:
    """Elsewhere this process stays, looks for its parent and hands signals on."""
    pid = os.posix_spawn(command[0], command, os.environ)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, lambda given, _frame: os.kill(pid, given))
    told = False
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if os.getppid() != parent and not told:
            os.kill(pid, death)
            told = True
        time.sleep(0.1)
    return os.waitstatus_to_exitcode(ended[1])


def main(parent: str, death: str, identity: str, *command: str) -> int:
    if sys.platform == "linux":
        become(int(parent), int(death), identity, list(command))
        return 1
    code = watch(int(parent), int(death), list(command))
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
