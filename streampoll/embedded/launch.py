"""Become a server that ends with its parent: `python -I -S launch.py PARENT SIGNAL UID:GID|- PROGRAM [ARGUMENT…]`.

Run as a script in the child, it stands in for `preexec_fn`, which is unsafe (and warned about) in a process with
threads. The order matters: privileges are dropped first, because a change of user clears the
parent-death signal; then the signal is set; then the parent is looked at once more, in case it died in between.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(argv: list[str]) -> None:
    """Drop privileges, tie this process to its parent and turn into the program."""
    parent, death_signal, owner, *command = argv
    os.umask(0o077)
    if owner != "-":
        uid, gid = map(int, owner.split(":"))
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death_signal)) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    try:
        os.execv(command[0], command)  # noqa: S606 - turning into the program is the point
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
