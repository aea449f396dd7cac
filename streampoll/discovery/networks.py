"""The addresses of networks, each once, in order."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from streampoll.errors import ConfigError, Fault

MOST = 1 << 24  # addresses of one run: a /8


class Networks:
    """Networks as they were given; overlapping ones count once."""

    def __init__(self, given: Sequence[str]) -> None:
        """Read networks in CIDR form, or single addresses.

        Raises:
            ConfigError: one of them is none, or they are too large together.
        """
        self._networks = _without_inner([_network(text) for text in given])
        if self.count > MOST:
            what = f"{self.count:,} addresses"
            raise ConfigError([Fault("CIDR…", what, f"name smaller networks: at most {MOST:,} addresses in one run")])

    @property
    def count(self) -> int:
        """How many addresses there are."""
        return sum(hosts.stop - hosts.start for hosts in map(_hosts, self._networks))

    def __iter__(self) -> Iterator[str]:
        """Yield the addresses, without those of network and broadcast."""
        for network in self._networks:
            base, version = int(network.network_address), type(network.network_address)
            yield from (str(version(base + offset)) for offset in _hosts(network))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ConfigError([Fault("CIDR…", f"{text!r} is not a network", 'write it as "192.0.2.0/24"')]) from None


def _hosts(network: IPv4Network | IPv6Network) -> range:
    """Return the offsets of a network's hosts; a /31 has two (RFC 3021), a /32 one, IPv6 has no broadcast."""
    size = network.num_addresses
    if size <= 2:
        return range(size)
    return range(1, size - 1) if network.version == 4 else range(1, size)


def _without_inner(networks: Sequence[IPv4Network | IPv6Network]) -> list[IPv4Network | IPv6Network]:
    """Return the networks that lie in no other, in the order given."""
    once = dict.fromkeys(networks)
    return [each for each in once if not any(_lies_in(each, other) for other in once if other != each)]


def _lies_in(network: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    first, last = int(network.network_address), int(network.broadcast_address)
    return (
        network.version == other.version
        and int(other.network_address) <= first
        and last <= int(other.broadcast_address)
    )
