"""Where a device's HTTP server is, and by what it is known: what one client is made for."""

from dataclasses import dataclass, field

from streampoll.http.trust import Trust


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server."""

    host: str  # an address or a name
    port: int
    tls: bool = True
    http2: bool = False
    server_name: str = ""  # asked for by TLS and expected in the certificate; "": the host
    trust: Trust = field(default_factory=Trust)

    @property
    def url(self) -> str:
        """The address of its root."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"
