"""v1 and v2c as they are spoken: a community, a request-id, and no more."""

from typing import Final

from streampoll.errors import SnmpError
from streampoll.model import Status
from streampoll.snmp.credential import Community
from streampoll.snmp.engine import Failure, Reply
from streampoll.snmp.exchange import Drop
from streampoll.snmp.message import Head, PduType, Request, encode_prefix, read_varbinds

_MAX_SPEECHES: Final = 4096
_RESPONSE: Final = int(PduType.RESPONSE)


class CommunitySpeech:
    """What a message with some community, PDU type and size begins with; shared by all agents."""

    __slots__ = ("_prefix", "_version")  # the prefix has the community in it: no repr of it

    def __init__(self, credential: Community, pdu: PduType, tail_bytes: int) -> None:
        self._prefix = encode_prefix(credential, pdu, tail_bytes)
        self._version = credential.version - 1  # as it stands on the wire: 0 or 1

    def encode(self, request: Request, request_id: int, _now: float) -> bytes:
        """Encode a request; see `Speech`."""
        return self._prefix + request_id.to_bytes(4) + request.tail

    def read(self, data: bytes, head: Head, request: Request, sent: int, _now: float, at: float) -> Reply | Failure:
        """Read an answer; see `Speech`."""
        if head[1] != self._version or head[2] != _RESPONSE:
            return Drop(Status.DECODE, "the reply can't be read: another version or PDU than a response to this")
        plain = request.form.read(data, head[5]) if request.form is not None and not head[3] else None
        try:
            varbinds = read_varbinds(data, head[5]) if plain is None else plain
        except SnmpError as error:
            return Failure(Status.DECODE, f"the reply can't be read: {error}", sent)
        return Reply(varbinds, head[3], head[4], at, sent)


class Communities:
    """The speeches in use; found by the credential's identity, since comparing credentials means comparing secrets."""

    def __init__(self) -> None:
        self._speeches: dict[tuple[int, PduType, int], CommunitySpeech] = {}
        self._credentials: dict[int, Community] = {}  # keeps alive what is known by its identity

    def speech(self, credential: Community, request: Request) -> CommunitySpeech:
        """Return the speech for a request.

        Raises:
            SnmpError: v1 has no GETBULK.
        """
        key = (id(credential), request.pdu, len(request.tail))
        speech = self._speeches.get(key)
        if speech is None:
            if len(self._speeches) >= _MAX_SPEECHES:  # credentials were reloaded many times
                self._speeches.clear()
                self._credentials.clear()
            speech = self._speeches[key] = CommunitySpeech(credential, request.pdu, len(request.tail))
            self._credentials[id(credential)] = credential
        return speech
