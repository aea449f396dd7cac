"""How one protocol is polled, as the router is told."""

from collections.abc import Callable
from dataclasses import dataclass

from streampoll.pollers.port import Poller


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol."""

    name: str  # as profiles and credentials say it
    make: Callable[[], Poller]
    needs_credential: bool = True
    optional: bool = False  # with needs_credential: a device that has none of it is polled without (credential None)
    silence_refuses: bool = False  # a credential that is not accepted may show as silence (SNMP communities)
    explains: bool = True  # silence is explained by an echo
    locks_out: bool = True  # attempts with a wrong credential may cost an account: pause after two rounds of them
