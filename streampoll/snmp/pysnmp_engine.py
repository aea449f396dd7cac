"""The second engine: pysnmp, for everything with `engine = "pysnmp"`, and the oracle of our own.

Slower by two orders of magnitude and heavy in memory: `engines` imports it when it is needed. Each credential has
a pysnmp engine of its own: in a shared one, two users of one name with different keys overwrite each other. pysnmp
resends without back-off, reports no ICMP errors, and drops what it can't read: those end as TIMEOUT.
"""

import asyncio
import time
from typing import Any, Final

from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import cmdgen
from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch.asyncio import auth
from pysnmp.hlapi.v3arch.asyncio.lcd import CommandGeneratorLcdConfigurator
from pysnmp.hlapi.v3arch.asyncio.transport import Udp6TransportTarget, UdpTransportTarget
from pysnmp.proto import errind
from pysnmp.proto.rfc1902 import Null, ObjectName

from streampoll.config.settings import SnmpSettings
from streampoll.errors import SnmpError
from streampoll.model import Status
from streampoll.snmp import ber
from streampoll.snmp.credential import AuthProtocol, Community, Credential, PrivProtocol, UsmUser, has_bulk
from streampoll.snmp.engine import Address, Agent, Failure, Reply
from streampoll.snmp.message import PduType, Request, Varbind

_AUTH: Final = {
    AuthProtocol.NONE: auth.USM_AUTH_NONE,
    AuthProtocol.MD5: auth.USM_AUTH_HMAC96_MD5,
    AuthProtocol.SHA1: auth.USM_AUTH_HMAC96_SHA,
    AuthProtocol.SHA224: auth.USM_AUTH_HMAC128_SHA224,
    AuthProtocol.SHA256: auth.USM_AUTH_HMAC192_SHA256,
    AuthProtocol.SHA384: auth.USM_AUTH_HMAC256_SHA384,
    AuthProtocol.SHA512: auth.USM_AUTH_HMAC384_SHA512,
}
_PRIV: Final = {
    PrivProtocol.NONE: auth.USM_PRIV_NONE,
    PrivProtocol.DES: auth.USM_PRIV_CBC56_DES,
    PrivProtocol.AES128: auth.USM_PRIV_CFB128_AES,
    PrivProtocol.AES192: auth.USM_PRIV_CFB192_AES_BLUMENTHAL,
    PrivProtocol.AES256: auth.USM_PRIV_CFB256_AES_BLUMENTHAL,
    PrivProtocol.AES192C: auth.USM_PRIV_CFB192_AES,
    PrivProtocol.AES256C: auth.USM_PRIV_CFB256_AES,
}
_AUTH_FAILURES: Final = (
    errind.AuthenticationFailure, errind.AuthenticationError, errind.WrongDigest, errind.UnknownUserName,
    errind.UnknownSecurityName, errind.UnsupportedSecurityLevel, errind.DecryptionError, errind.NotInTimeWindow,
    errind.UnknownEngineID, errind.EngineIDMismatch, errind.UnknownCommunityName, errind.UnsupportedAuthProtocol,
    errind.UnsupportedPrivProtocol, errind.EncryptionError,
)  # fmt: skip
_INTEGERS: Final = frozenset({ber.INTEGER, ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64, ber.UINTEGER32})


class _Target(UdpTransportTarget):  # type: ignore[misc]
    """A target that is given a numeric address, and so needs no resolver."""

    async def _resolve_address(self, address: Address) -> Address:
        return address


class _Target6(Udp6TransportTarget):  # type: ignore[misc]
    """The same for IPv6."""

    async def _resolve_address(self, address: Address) -> tuple[str, int, int, int]:
        return (*address, 0, 0)


class PysnmpEngine:
    """pysnmp behind the engine port. Make it inside the running loop that uses it."""

    def __init__(self, settings: SnmpSettings) -> None:
        self._settings = settings
        self._engines: dict[int, tuple[Credential, Any, Any]] = {}  # by identity: (credential, engine, auth data)
        self._windows: dict[Address, tuple[asyncio.Semaphore, int]] = {}  # with how many use it

    async def request(self, agent: Agent, request: Request, deadline: float) -> Reply | Failure:
        """Ask an agent; see `Engine`."""
        window, users = self._windows.get(agent.address) or (asyncio.Semaphore(agent.limits.window), 0)
        self._windows[agent.address] = window, users + 1
        try:
            async with asyncio.timeout_at(deadline), window:
                return await self._ask(agent, request)
        except TimeoutError:
            return Failure(Status.TIMEOUT, "no answer before the deadline", 1)
        except (PySnmpError, SnmpError, errind.ErrorIndication) as error:
            return Failure(Status.ERROR, f"pysnmp: {error}")
        finally:
            window, users = self._windows.pop(agent.address)
            if users > 1:
                self._windows[agent.address] = window, users - 1

    def knows(self, _agent: Agent) -> bool:
        """Say no: pysnmp does not tell."""
        return False

    async def close(self) -> None:
        """Close the engines and their sockets."""
        for _, engine, _ in self._engines.values():
            engine.close_dispatcher()
        self._engines.clear()

    async def _ask(self, agent: Agent, request: Request) -> Reply | Failure:
        """Send one request through pysnmp and wait for what its callback is given."""
        if request.pdu is PduType.GETBULK and not has_bulk(agent.credential):
            return Failure(Status.CONFIG, "SNMPv1 has no GETBULK")
        engine, auth_data = self._engine(agent.credential)
        retries = 0 if request.once else agent.limits.retries
        target = await (_Target6 if ":" in agent.address[0] else _Target).create(
            agent.address, timeout=agent.limits.timeout_s, retries=retries
        )
        context = agent.credential.context if isinstance(agent.credential, UsmUser) else ""
        name, _ = CommandGeneratorLcdConfigurator().configure(engine, auth_data, target, context)
        future: asyncio.Future[Reply | Failure] = asyncio.get_running_loop().create_future()

        def answer(_engine: Any, _handle: Any, indication: Any, status: Any, index: Any, varbinds: Any, _: Any) -> None:
            if not future.done():
                future.set_result(_answer(indication, int(status), int(index), varbinds, retries))

        agent.asked.first = agent.asked.first or time.time()
        generator, counts = _generator(request)
        varbinds = [(ObjectName(ber.decode_oid(oid)), Null("")) for oid in request.oids]
        generator.send_varbinds(engine, name, None, context, *counts, varbinds, answer)
        result = await future
        if isinstance(result, Failure) and result.sent > 1:  # else it does not tell
            agent.asked.retries += result.sent - 1
        return result

    def _engine(self, credential: Credential) -> tuple[Any, Any]:
        """Find the pysnmp engine of a credential, or make it. Its secrets are revealed here and nowhere else."""
        found = self._engines.get(id(credential))
        if found is None:
            found = self._engines[id(credential)] = credential, SnmpEngine(), _auth_data(credential)
        return found[1], found[2]


def _auth_data(credential: Credential) -> Any:
    """Say to pysnmp who we are."""
    if isinstance(credential, Community):
        return auth.CommunityData(credential.community.reveal(), mpModel=credential.version - 1)
    return auth.UsmUserData(
        credential.user,
        credential.auth_key.reveal() or None,
        credential.priv_key.reveal() or None,
        authProtocol=_AUTH[credential.auth_protocol],
        privProtocol=_PRIV[credential.priv_protocol],
    )


def _generator(request: Request) -> tuple[Any, tuple[int, ...]]:
    """Choose pysnmp's command generator and its extra arguments."""
    if request.pdu is PduType.GET:
        return cmdgen.GetCommandGenerator(), ()
    if request.pdu is PduType.GETNEXT:
        return cmdgen.NextCommandGeneratorSingleRun(), ()
    return cmdgen.BulkCommandGeneratorSingleRun(), (request.non_repeaters, request.max_repetitions)


def _answer(indication: Any, status: int, index: int, varbinds: Any, retries: int) -> Reply | Failure:
    """Make our value of what pysnmp's callback is given."""
    if isinstance(indication, errind.RequestTimedOut):
        return Failure(Status.TIMEOUT, f"no answer to {retries + 1} requests", retries + 1)
    if isinstance(indication, _AUTH_FAILURES):
        return Failure(Status.AUTH, str(indication), 1)
    if indication:
        return Failure(Status.DECODE, f"the reply can't be read: {indication}", 1)
    try:
        return Reply([_varbind(oid, value) for oid, value in varbinds], status, index, time.time(), 1)
    except SnmpError as error:
        return Failure(Status.DECODE, f"the reply can't be read: {error}", 1)


def _varbind(oid: Any, value: Any) -> Varbind:
    """Make our varbind of pysnmp's."""
    outer = value.tagSet.superTags[-1]
    tag = outer.tagClass | outer.tagFormat | outer.tagId
    return ber.encode_oid(tuple(oid)), tag, _wire(tag, value)


def _wire(tag: int, value: Any) -> ber.Wire:
    """Make our value of pysnmp's."""
    if tag in _INTEGERS:
        return int(value)
    if tag == ber.OBJECT_IDENTIFIER:
        return ber.dotted(tuple(value))
    content = value.asOctets() if hasattr(value, "asOctets") else b""
    return ber.decode_value(tag, content)
