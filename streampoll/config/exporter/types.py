"""snmp_exporter's types in the words of a profile, for values and for the parts of an index."""

from typing import Any, Final

from streampoll.config.exporter.words import Index

VALUES: Final[dict[str, dict[str, Any]]] = {
    "gauge": {"type": "integer"},
    "counter": {"type": "counter"},
    "Integer": {"type": "integer"}, "Integer32": {"type": "integer"},
    "Float": {"type": "float"}, "Double": {"type": "float"},
    "DisplayString": {"type": "text"},
    "OctetString": {"type": "bytes"},
    "PhysAddress48": {"type": "mac"},
    "IpAddr": {"type": "ip"}, "InetAddressIPv4": {"type": "ip"}, "InetAddressIPv6": {"type": "ip"},
    "InetAddress": {"type": "ip"}, "InetAddressMissingSize": {"type": "ip"},
    "LldpPortId": {"type": "text"},  # octets where it is no text: a MAC address
    "DateAndTime": {"type": "datetime", "as": "epoch"},
    "ParseDateAndTime": {"type": "text"},
    "NTPTimeStamp": {"type": "bytes", "as": "epoch"},
    "EnumAsInfo": {"type": "integer"}, "EnumAsStateSet": {"type": "integer"},
    "Bits": {"type": "bits"},
}  # fmt: skip

NUMERIC: Final = frozenset({"integer", "counter", "float"})

_PARTS: Final[dict[str, dict[str, Any]]] = {
    "gauge": {"type": "integer"}, "counter": {"type": "integer"},
    "Integer": {"type": "integer"}, "Integer32": {"type": "integer"},
    "EnumAsInfo": {"type": "integer"},
    "OctetString": {"type": "bytes"}, "DisplayString": {"type": "text"},
    "PhysAddress48": {"type": "mac"},
    "IpAddr": {"type": "ip"}, "InetAddressIPv4": {"type": "ip"}, "InetAddressIPv6": {"type": "ip", "size": 16},
    "InetAddress": {"type": "inet"}, "InetAddressMissingSize": {"type": "inet", "implied": True},
}  # fmt: skip

_SIZED: Final = frozenset({"bytes", "text"})


def part_words(index: Index) -> dict[str, Any] | None:
    """Return a part of an index; None if its type is not known, and hence not where the next part starts."""
    if index.type not in _PARTS:
        return None
    words = {"name": index.label, **_PARTS[index.type]}
    if words["type"] in _SIZED and index.implied:
        words["implied"] = True
    elif words["type"] in _SIZED and index.fixed_size:
        words["size"] = index.fixed_size
    if index.enum:
        words["enum"] = {str(number): name for number, name in index.enum}
    if index.hint and words["type"] == "bytes":
        words["display"] = index.hint
    return words
