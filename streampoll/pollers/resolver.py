"""Host names to addresses, off the loop and cached: a slow name server delays only the devices it names."""

import asyncio
import socket
from typing import Final

TTL_S: Final = 300.0  # getaddrinfo does not tell the record's own
_MOST: Final = 100_000  # names kept


class Resolver:
    """Answers numeric addresses at once, names from a cache or the system's resolver. For one event loop."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, float]] = {}  # name -> (address, the loop's time it is good until)

    async def resolve(self, name: str) -> str:
        """Return the address of a name, IPv4 or IPv6, in its canonical form.

        Raises:
            OSError: it has none, is none, or the name server does not answer.
        """
        numeric = canonical(name)
        if numeric is not None:
            return numeric
        loop = asyncio.get_running_loop()
        known = self._known.get(name)
        if known is not None and loop.time() < known[1]:
            return known[0]
        if "\0" in name:  # the system's resolver would read as far as there
            raise OSError("it is no host name: a zero byte in it")
        try:
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except ValueError as error:  # a label of more than 63 letters, a character that no name has
            raise OSError(f"it is no host name: {error}") from None
        address = str(found[0][4][0])
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[name] = address, loop.time() + TTL_S
        return address

    def known(self, name: str) -> str:
        """Return the address that a name had when it was last resolved; one that never was (a numeric one) as it is."""
        found = self._known.get(name)
        return found[0] if found else name


def canonical(address: str) -> str | None:
    """Return a numeric address as the kernel writes it; None if it is a name (or has a zone)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address))
    except (OSError, ValueError):  # ValueError: a zero byte in it
        return None
