"""What an SNMPv3 agent reports instead of an answer (RFC 3412, 3413, 3414), as typed failures.

A report names a counter that the agent raised. Most of them can't be signed (an agent that does not know the user has
no key of his), so whoever can send in the agent's name can forge them. Hence a report may end a request, which loss
could do as well, but by itself changes nothing that is remembered; `v3` says which ones are acted on, and how.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from streampoll.model import Status
from streampoll.snmp.ber import encode_oid
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.engine import Failure
from streampoll.snmp.message import Varbind

_USM_STATS: Final = (1, 3, 6, 1, 6, 3, 15, 1, 1)
_MPD_STATS: Final = (1, 3, 6, 1, 6, 3, 11, 2, 1)
_TARGET: Final = (1, 3, 6, 1, 6, 3, 12, 1)


class Cause(Enum):
    """Why an agent did not answer; the value is the counter's name."""

    UNSUPPORTED_LEVEL = "usmStatsUnsupportedSecLevels"
    NOT_IN_TIME = "usmStatsNotInTimeWindows"
    UNKNOWN_USER = "usmStatsUnknownUserNames"
    UNKNOWN_ENGINE = "usmStatsUnknownEngineIDs"
    WRONG_DIGEST = "usmStatsWrongDigests"
    DECRYPTION = "usmStatsDecryptionErrors"
    UNKNOWN_MODEL = "snmpUnknownSecurityModels"
    INVALID = "snmpInvalidMsgs"
    UNKNOWN_PDU = "snmpUnknownPDUHandlers"
    UNAVAILABLE_CONTEXT = "snmpUnavailableContexts"
    UNKNOWN_CONTEXT = "snmpUnknownContexts"
    OTHER = "a counter that we don't know"
    TIME_WENT_BACK = "boots or time went back"  # no report: an answer from the agent's own past


_COUNTERS: Final = {
    encode_oid((*place, number, 0)): cause
    for place, number, cause in (
        (_USM_STATS, 1, Cause.UNSUPPORTED_LEVEL),
        (_USM_STATS, 2, Cause.NOT_IN_TIME),
        (_USM_STATS, 3, Cause.UNKNOWN_USER),
        (_USM_STATS, 4, Cause.UNKNOWN_ENGINE),
        (_USM_STATS, 5, Cause.WRONG_DIGEST),
        (_USM_STATS, 6, Cause.DECRYPTION),
        (_MPD_STATS, 1, Cause.UNKNOWN_MODEL),
        (_MPD_STATS, 2, Cause.INVALID),
        (_MPD_STATS, 3, Cause.UNKNOWN_PDU),
        (_TARGET, 4, Cause.UNAVAILABLE_CONTEXT),
        (_TARGET, 5, Cause.UNKNOWN_CONTEXT),
    )
}

_REASONS: Final = {
    Cause.UNSUPPORTED_LEVEL: "unsupported security level: the agent does not take {level} from user {user!r}",
    Cause.NOT_IN_TIME: "not in time window: the agent refuses even its own boots and time; its clock may be stuck",
    Cause.UNKNOWN_USER: "unknown user: the agent has no user {user!r}",
    Cause.UNKNOWN_ENGINE: "unknown engine ID: the agent does not accept the engine ID that it gave itself",
    Cause.WRONG_DIGEST: "wrong digest: the agent has another auth_key or auth_protocol for user {user!r} than {auth}",
    Cause.DECRYPTION: "decryption error: the agent has another priv_key or priv_protocol for user {user!r} than {priv}",
    Cause.UNKNOWN_MODEL: "the agent does not know the user-based security model",
    Cause.INVALID: "the agent calls our message invalid",
    Cause.UNKNOWN_PDU: "the agent has nothing that answers such a request",
    Cause.UNAVAILABLE_CONTEXT: "context {context!r} is not available on the agent now",
    Cause.UNKNOWN_CONTEXT: "unknown context: the agent has no context {context!r}",
    Cause.OTHER: "the agent answered with a report of a counter that SNMP has not",
}
_REFUSALS: Final = frozenset(
    {Cause.UNKNOWN_MODEL, Cause.INVALID, Cause.UNKNOWN_PDU, Cause.UNAVAILABLE_CONTEXT, Cause.UNKNOWN_CONTEXT}
)


@dataclass(frozen=True, slots=True)
class Report(Failure):
    """A report as the failure that it is, with what can be learned from it."""

    cause: Cause = Cause.OTHER
    is_authentic: bool = False  # signed by the agent
    engine_id: bytes = b""
    boots: int = 0
    time_s: int = 0


def cause_of(varbinds: list[Varbind]) -> Cause:
    """Return which counter a report names, the first it has."""
    return _COUNTERS.get(varbinds[0][0], Cause.OTHER) if varbinds else Cause.OTHER


def reason_for(cause: Cause, user: UsmUser) -> str:
    """Say in one line what an agent's report means for those who configured the user; never with a secret."""
    text = _REASONS[cause].format(
        user=user.user, level=level_name(user), auth=user.auth_protocol, priv=user.priv_protocol, context=user.context
    )
    return f"{text} ({cause.value})"


def status_for(cause: Cause) -> Status:
    """Return the status of a poll that ends with such a report."""
    return Status.REFUSED if cause in _REFUSALS else Status.AUTH


def level_name(user: UsmUser) -> str:
    """Name a user's security level as the RFCs and agents' configurations do."""
    if user.auth_protocol is AuthProtocol.NONE:
        return "noAuthNoPriv"
    return "authNoPriv" if user.priv_protocol is PrivProtocol.NONE else "authPriv"
