"""pysnmp's own agent, answering v1, v2c and v3 from a dict, in the test's event loop."""

import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from streampoll.snmp.credential import UsmUser
from streampoll.snmp.plan import Oid
from streampoll.snmp.reports import level_name
from tests.snmp_support import V3_KEY, free_udp_port

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pysnmp imports old names of pysmi
    from pysnmp.carrier.asyncio.dgram import udp
    from pysnmp.entity import config, engine
    from pysnmp.entity.rfc3413 import cmdrsp, context
    from pysnmp.proto import rfc1902
    from pysnmp.proto.rfc1905 import endOfMibView, noSuchInstance
    from pysnmp.smi.instrum import AbstractMibInstrumController

    from streampoll.snmp.pysnmp_engine import _AUTH, _PRIV

__all__ = ["PysnmpAgent", "rfc1902"]


class _DictController(AbstractMibInstrumController):  # type: ignore[misc]
    """A MIB that is a dict of values."""

    def __init__(self, values: Mapping[Oid, Any]) -> None:
        self._values = values
        self._oids = sorted(values)

    def read_variables(self, *varbinds: Any, **_: Any) -> list[tuple[Any, Any]]:
        return [(oid, self._values.get(tuple(oid), noSuchInstance)) for oid, _ in varbinds]

    def read_next_variables(self, *varbinds: Any, **_: Any) -> list[tuple[Any, Any]]:
        return [self._after(oid) for oid, _ in varbinds]

    def _after(self, oid: Any) -> tuple[Any, Any]:
        at = bisect_right(self._oids, tuple(oid))
        if at == len(self._oids):
            return oid, endOfMibView
        return oid.clone(self._oids[at]), self._values[self._oids[at]]


class PysnmpAgent:
    """`async with PysnmpAgent(values) as agent:` answers on `agent.address`; in v3 snmpd's "shaaes" and `users`."""

    def __init__(self, values: Mapping[Oid, Any], users: Sequence[UsmUser] = ()) -> None:
        self._values = values
        self._users = users
        self.address = "127.0.0.1", free_udp_port()

    async def __aenter__(self) -> "PysnmpAgent":
        self._engine = engine.SnmpEngine()
        transport = udp.UdpTransport().open_server_mode(self.address)
        config.add_transport(self._engine, udp.DOMAIN_NAME, transport)
        await transport._lport  # the endpoint is made in a task of its own
        config.add_v1_system(self._engine, "area", "public")
        config.add_v3_user(
            self._engine, "shaaes", config.USM_AUTH_HMAC96_SHA, V3_KEY, config.USM_PRIV_CFB128_AES, V3_KEY
        )
        for each in self._users:
            keys = each.auth_key.reveal(), _PRIV[each.priv_protocol], each.priv_key.reveal() or None
            config.add_v3_user(self._engine, each.user, _AUTH[each.auth_protocol], *keys)
            config.add_vacm_user(self._engine, 3, each.user, level_name(each), (1, 3, 6))
        for model, user, level in ((1, "area", "noAuthNoPriv"), (2, "area", "noAuthNoPriv"), (3, "shaaes", "authPriv")):
            config.add_vacm_user(self._engine, model, user, level, (1, 3, 6))
        mib = context.SnmpContext(self._engine)
        mib.unregister_context_name(b"")
        mib.register_context_name(b"", _DictController(self._values))
        for responder in (cmdrsp.GetCommandResponder, cmdrsp.NextCommandResponder, cmdrsp.BulkCommandResponder):
            responder(self._engine, mib)
        self._engine.transport_dispatcher.job_started(1)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._engine.transport_dispatcher.job_finished(1)
        self._engine.close_dispatcher()
