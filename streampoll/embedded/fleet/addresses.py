"""Which address is which device.

Every address of 127.0.0.0/8 is a device. Device 0 is 127.1.0.1, so 127.0.x.y is left to the servers of this machine;
an index counts addresses upwards from there, modulo the size of the network.
"""

import ipaddress

FIRST = 0x7F01_0001  # 127.1.0.1
NETWORK = 1 << 24  # addresses in 127.0.0.0/8
MAX_DEVICES = 0x7FFF_FFFE - FIRST + 1  # up to 127.255.255.254
SITE_DEVICES = 64  # devices that share a site


def device_address(index: int) -> str:
    """Return the address of device `index`, counted from 0: "127.1.0.1", "127.1.0.2", …

    Raises:
        ValueError: 127.0.0.0/8 has no such device.
    """
    if not 0 <= index < MAX_DEVICES:
        raise ValueError(f"device {index} is not in 0..{MAX_DEVICES - 1}")
    return str(ipaddress.IPv4Address(FIRST + index))


def device_index(packed: bytes) -> int:
    """Return the index of the device at an address of four bytes in 127.0.0.0/8."""
    return (int.from_bytes(packed, "big") - FIRST) % NETWORK


def packed_address(index: int) -> int:
    """Return the 24 host bits of a device's address."""
    return (FIRST + index) % NETWORK


def device_name(index: int) -> str:
    """Return the sysName of device `index`: "sim-001-000-001" is 127.1.0.1.

    All names have one length, so that replies to one request have one layout on all devices.
    """
    host = packed_address(index)
    return f"sim-{host >> 16:03d}-{host >> 8 & 255:03d}-{host & 255:03d}"


def device_site(index: int) -> str:
    """Return the site of device `index`, also the first word of its sysLocation: "site-00000"."""
    return f"site-{index // SITE_DEVICES:06d}"
