"""An agent as a model: the engine port answered from a dict, with the oddities of real agents as knobs."""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from streampoll.config.secret import Secret
from streampoll.model import Status
from streampoll.snmp import ber
from streampoll.snmp.credential import Community, Version
from streampoll.snmp.engine import Agent, Failure, Limits, Reply
from streampoll.snmp.message import ErrorStatus, PduType, Request, Varbind
from streampoll.snmp.plain_forms import FORMS
from streampoll.snmp.plan import Oid

UPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)


@dataclass
class ModelAgent:
    """What an agent holds, and how it misbehaves."""

    values: Mapping[Oid, tuple[int, ber.Wire]]
    most: int = 10_000  # more varbinds in a reply than this are tooBig
    cut: int = 10_000  # a GETBULK reply is cut short after this many varbinds
    deaf_over: int = 10_000  # requests for more varbinds than this get no answer
    answers: int = 10_000  # requests answered before it falls silent
    repeats: int = 0  # non-repeaters that it knows of at the most: it repeats the others; 0: it knows of all
    poisoned: Mapping[Oid, ErrorStatus] = field(default_factory=dict)  # OIDs that make a request fail
    swapped: bool = False  # its GET answers come under OIDs that were not asked
    vague: bool = False  # its error-index is always 0
    plain: bool = True  # replies of the form that is expected are given as such, as our own engine gives them
    stuck: bool = False  # GETNEXT and GETBULK give the same OIDs for ever
    asked: list[Request] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.oids = sorted(self.values)

    async def request(self, agent: Agent, request: Request, deadline: float) -> Reply | Failure:
        """Answer as an agent would; a model's clock ticks once a request."""
        self.asked.append(request)
        self.agents.append(agent)
        assert request.oids
        if len(self.asked) > self.answers or request.expected > self.deaf_over:
            sent = 1 if request.once else 2
            return Failure(Status.TIMEOUT, f"no answer to {sent} requests", sent)
        is_v1 = isinstance(agent.credential, Community) and agent.credential.version is Version.V1
        oids = [ber.decode_oid(oid) for oid in request.oids]
        if request.pdu is PduType.GET:
            return self._get(oids, request, is_v1)
        assert not (is_v1 and request.pdu is PduType.GETBULK)
        return self._next(oids, request, is_v1)

    def knows(self, agent: Agent) -> bool:
        """Say yes: whoever asks is known."""
        return True

    async def close(self) -> None:
        """Nothing to close."""

    def _get(self, oids: list[Oid], request: Request, is_v1: bool) -> Reply:
        if len(oids) > self.most:
            return self._refuse(ErrorStatus.tooBig, 0)
        for index, oid in enumerate(oids, 1):
            if oid in self.poisoned:
                return self._refuse(self.poisoned[oid], index)
            if is_v1 and oid not in self.values:
                return self._refuse(ErrorStatus.noSuchName, index)
        if self.swapped:
            oids = oids[::-1]
        return self._reply([self._varbind(oid, ber.NO_SUCH_OBJECT) for oid in oids], request)

    def _next(self, oids: list[Oid], request: Request, is_v1: bool) -> Reply:
        varbinds = [self._after(oid) for oid in oids]
        if is_v1 and any(v[1] == ber.END_OF_MIB_VIEW for v in varbinds):
            return self._refuse(ErrorStatus.noSuchName, [v[1] for v in varbinds].index(ber.END_OF_MIB_VIEW) + 1)
        for index, (oid, _, _) in enumerate(varbinds, 1):
            if ber.decode_oid(oid) in self.poisoned:
                return self._refuse(self.poisoned[ber.decode_oid(oid)], index)
        row = varbinds[min(request.non_repeaters, self.repeats or request.non_repeaters) :]
        for _ in range(request.max_repetitions - 1):
            row = row if self.stuck else [self._after(ber.decode_oid(oid)) for oid, _, _ in row]
            varbinds += row
        if request.pdu is PduType.GETBULK:
            varbinds = varbinds[: self.cut]
        if len(varbinds) > self.most:
            return self._refuse(ErrorStatus.tooBig, 0)
        return self._reply(varbinds, request)

    def _after(self, oid: Oid) -> Varbind:
        at = bisect_right(self.oids, oid)
        return self._varbind(self.oids[at] if at < len(self.oids) else oid, ber.END_OF_MIB_VIEW, at < len(self.oids))

    def _varbind(self, oid: Oid, absent: int, exists: bool = True) -> Varbind:
        if exists and oid in self.values:
            return (ber.encode_oid(oid), *self.values[oid])
        return ber.encode_oid(oid), absent, ber.decode_value(absent, b"")

    def _refuse(self, status: ErrorStatus, index: int) -> Reply:
        return Reply([], int(status), 0 if self.vague else index, 1000.0 + len(self.asked), 1)

    def _reply(self, varbinds: list[Varbind], request: Request) -> Reply:
        plain = None
        if request.form is not None and self.plain:
            data = ber.encode_tlv(ber.SEQUENCE, b"".join(map(_encoded, varbinds)))
            plain = request.form.read(data, 0)
        return Reply(plain or varbinds, 0, 0, 1000.0 + len(self.asked), 1)


def _encoded(varbind: Varbind) -> bytes:
    """Encode a varbind."""
    oid, tag, value = varbind
    content = _content(value)
    return ber.encode_tlv(ber.SEQUENCE, ber.encode_tlv(ber.OBJECT_IDENTIFIER, oid) + ber.encode_tlv(tag, content))


def _content(value: ber.Wire) -> bytes:
    match value:
        case int():
            return ber.encode_integer(value)[2:]
        case float():
            return b"\x9f\x79\x08" + struct.pack(">d", value)
        case str():
            return ber.encode_oid(tuple(map(int, value.split("."))))
        case bytes():
            return value
    return b""


def agent(version: Version = Version.V2C, **limits: float) -> Agent:
    """Return an agent to ask the model as."""
    return Agent(("192.0.2.1", 161), Community(Secret("public"), version), Limits(**limits))  # type: ignore[arg-type]


@contextmanager
def forms_at_once(piece: int) -> Iterator[None]:
    """Compile each form when it is first wanted, in pieces of at most so many branches, or of a varbind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streampoll.snmp.plain_forms._PIECE", piece)
        for name, value in {"patience": 0, "every": 0, "left": 1_000_000, "most": 1_000_000, "known": {}}.items():
            patch.setattr(FORMS, name, value)
        yield
