"""What every module may use without defining it: the upper tree, ASN.1 and SMI types, the common textual conventions.

Modules import these from SNMPv2-SMI, SNMPv2-TC, RFC1155-SMI and the like, which many a directory of vendor MIBs lacks;
so they are here, as facts (RFC 1155, 1213, 2578, 2579, 3411, 4001), and a vendor's MIB compiles by itself.
"""

from typing import Final

from streampoll.config.mib.words import Base, RawSyntax, RawType
from streampoll.snmp.plan import Oid

_MIB_2: Final = (1, 3, 6, 1, 2, 1)

ROOTS: Final[dict[str, Oid]] = {
    "ccitt": (0,), "zeroDotZero": (0, 0), "iso": (1,), "joint-iso-ccitt": (2,),
    "org": (1, 3), "dod": (1, 3, 6), "internet": (1, 3, 6, 1),
    "directory": (1, 3, 6, 1, 1), "mgmt": (1, 3, 6, 1, 2), "experimental": (1, 3, 6, 1, 3),
    "private": (1, 3, 6, 1, 4), "enterprises": (1, 3, 6, 1, 4, 1), "security": (1, 3, 6, 1, 5),
    "snmpV2": (1, 3, 6, 1, 6), "snmpDomains": (1, 3, 6, 1, 6, 1), "snmpProxys": (1, 3, 6, 1, 6, 2),
    "snmpModules": (1, 3, 6, 1, 6, 3), "mib-2": _MIB_2,
    **{name: (*_MIB_2, number) for name, number in (
        ("system", 1), ("interfaces", 2), ("at", 3), ("ip", 4), ("icmp", 5), ("tcp", 6), ("udp", 7), ("egp", 8),
        ("transmission", 10), ("snmp", 11),
    )},
}  # fmt: skip
"""Nodes that are known although their module is not here."""

BASES: Final[dict[str, Base]] = {
    "INTEGER": Base.INTEGER, "Integer32": Base.INTEGER,
    "Gauge": Base.UNSIGNED, "Gauge32": Base.UNSIGNED, "Unsigned32": Base.UNSIGNED, "UInteger32": Base.UNSIGNED,
    "Counter": Base.COUNTER, "Counter32": Base.COUNTER, "Counter64": Base.COUNTER,
    "TimeTicks": Base.TICKS,
    "OCTET STRING": Base.OCTETS, "OBJECT IDENTIFIER": Base.OID,
    "IpAddress": Base.IP, "NetworkAddress": Base.IP,
    "Opaque": Base.OPAQUE, "BITS": Base.BITS, "Bits": Base.BITS,
}  # fmt: skip
"""Types that are no convention but a form on the wire."""


def _text(longest: int, hint: str) -> RawType:
    return RawType(RawSyntax("OCTET STRING", sizes=((0, longest),)), hint)


def _octets(*sizes: int, hint: str = "") -> RawType:
    return RawType(RawSyntax("OCTET STRING", sizes=tuple((size, size) for size in sizes)), hint)


def _words(*names: str, first: int = 1) -> RawType:
    return RawType(RawSyntax("INTEGER", enum=tuple(enumerate(names, first))))


def _alias(name: str, hint: str = "") -> RawType:
    return RawType(RawSyntax(name), hint)


CONVENTIONS: Final[dict[str, RawType]] = {
    # RFC 2579
    "DisplayString": _text(255, "255a"),
    "PhysAddress": _octets(hint="1x:"),
    "MacAddress": _octets(6, hint="1x:"),
    "TruthValue": _words("true", "false"),
    "TestAndIncr": _alias("INTEGER"),
    "AutonomousType": _alias("OBJECT IDENTIFIER"),
    "InstancePointer": _alias("OBJECT IDENTIFIER"),
    "VariablePointer": _alias("OBJECT IDENTIFIER"),
    "RowPointer": _alias("OBJECT IDENTIFIER"),
    "RowStatus": _words("active", "notInService", "notReady", "createAndGo", "createAndWait", "destroy"),
    "TimeStamp": _alias("TimeTicks"),
    "TimeInterval": _alias("INTEGER"),
    "DateAndTime": _octets(8, 11, hint="2d-1d-1d,1d:1d:1d.1d,1a1d:1d"),
    "StorageType": _words("other", "volatile", "nonVolatile", "permanent", "readOnly"),
    "TDomain": _alias("OBJECT IDENTIFIER"),
    "TAddress": _octets(),
    # RFC 3411, 4001, 2856, 3593, 2737
    "SnmpAdminString": _text(255, "255t"),
    "SnmpEngineID": _octets(),
    "InetAddressType": RawType(
        RawSyntax("INTEGER", enum=((0, "unknown"), (1, "ipv4"), (2, "ipv6"), (3, "ipv4z"), (4, "ipv6z"), (16, "dns")))
    ),
    "InetAddress": RawType(RawSyntax("OCTET STRING", sizes=((0, 255),))),
    "InetAddressIPv4": _octets(4, hint="1d.1d.1d.1d"),
    "InetAddressIPv6": _octets(16, hint="2x:2x:2x:2x:2x:2x:2x:2x"),
    "InetAddressPrefixLength": _alias("Unsigned32", "d"),
    "InetPortNumber": _alias("Unsigned32", "d"),
    "InetAutonomousSystemNumber": _alias("Unsigned32", "d"),
    "CounterBasedGauge64": _alias("Counter64"),
    "ZeroBasedCounter32": _alias("Gauge32"),
    "ZeroBasedCounter64": _alias("Counter64"),
    "InterfaceIndex": _alias("Integer32", "d"),
    "InterfaceIndexOrZero": _alias("Integer32", "d"),
    "OwnerString": _text(255, "255a"),
}
"""Textual conventions that are known although their module is not here."""
