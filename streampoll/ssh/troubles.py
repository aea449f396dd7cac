"""What asyncssh and the network raise, as failures of a poll."""

import asyncssh

from streampoll.errors import want_of
from streampoll.model import Status
from streampoll.ssh.port import Endpoint, SshFailure

_LONGEST = 160  # characters of what a device says of itself


def failure_of(error: Exception, endpoint: Endpoint) -> SshFailure:
    """Return the failure that an exception of connecting, or of a connection, stands for."""
    match error:
        case SshFailure():
            return error
        case asyncssh.PermissionDenied():
            return SshFailure(Status.AUTH, f"login refused by {endpoint}: user, password or key is not accepted")
        case asyncssh.KeyExchangeFailed():
            return SshFailure(Status.REFUSED, _no_algorithm(error, endpoint))
        case asyncssh.ChannelOpenError():
            cause = f"{endpoint} opens no further session ({_line(error)})"
            return SshFailure(Status.REFUSED, f"{cause}; its cap may be reached: ssh.max_sessions", lost=True)
        case asyncssh.ConnectionLost() | ConnectionResetError() | BrokenPipeError():
            return SshFailure(Status.REFUSED, f"{endpoint} closed the connection", lost=True)
        case asyncssh.ProtocolError() | asyncssh.ProtocolNotSupported():
            return SshFailure(Status.DECODE, f"{endpoint} does not speak SSH as we do: {_line(error)}", lost=True)
        case asyncssh.Error():
            return SshFailure(Status.REFUSED, f"{endpoint} ended the connection: {_line(error)}", lost=True)
        case ConnectionRefusedError():
            return SshFailure(Status.REFUSED, f"{endpoint} is closed")
        case TimeoutError():
            return SshFailure(Status.TIMEOUT, f"{endpoint} accepts no connection", step="connect")
        case OSError() if want := want_of(error):
            return SshFailure(Status.ERROR, want)
        case OSError():
            return SshFailure(Status.UNREACHABLE, f"{endpoint} can't be reached: {error.strerror or _line(error)}")
        case _:
            return SshFailure(Status.ERROR, f"{type(error).__name__} while talking to {endpoint}: {_line(error)}")


def _no_algorithm(error: asyncssh.Error, endpoint: Endpoint) -> str:
    what = _line(error).partition(" found")[0].removeprefix("No matching ")
    remedy = "it is newer or older than we are" if endpoint.legacy else "if it is old, set ssh.legacy = true for it"
    return f"{endpoint} has no {what} that is offered to it; {remedy}"


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return printable[:_LONGEST]
