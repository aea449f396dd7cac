"""Agents that serve recordings: our own fleet, and snmpsim."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streampoll.config.secret import Secret
from streampoll.embedded.fleet import FleetSettings
from streampoll.snmp.credential import Community, Version
from streampoll.snmp.engine import Agent, Limits
from tests.fleet_support import NetSnmp, running_fleet
from tests.snmp_support import free_udp_port
from tests.waiting import eventually

_FLEET_ADDRESS, _LOCALHOST = "127.1.0.1", "127.0.0.1"
_TIMEOUT_S = 10.0  # this is about what is said, not how fast; snmpsim takes its time, and so does a machine at work


@dataclass(frozen=True, slots=True)
class Served:
    """Where a recorded device answers."""

    address: str
    port: int
    pid: int
    community: str = "public"

    @property
    def agent(self) -> Agent:
        """It, as our engines ask it."""
        limits = Limits(timeout_s=_TIMEOUT_S)
        return Agent((self.address, self.port), Community(Secret(self.community), Version.V2C), limits)

    def peak_mb(self) -> int:
        """Return the most memory that its process has had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    @property
    def tools(self) -> NetSnmp:
        """It, as net-snmp's tools ask it."""
        return NetSnmp(self.port, self.address, community=self.community)


@contextmanager
def fleet(recording: Path) -> Iterator[Served]:
    """Serve one recording by our fleet."""
    settings = FleetSettings(devices=1, latency_ms=(0, 0), recordings=(str(recording),))
    with running_fleet(settings) as running:
        yield Served(_FLEET_ADDRESS, running.port, running.process.pid)


@contextmanager
def snmpsim(recording: Path) -> Iterator[Served]:
    """Serve one recording, alone in its directory, by snmpsim; its index of it goes with the block."""
    port = free_udp_port()
    with tempfile.TemporaryDirectory() as cache, subprocess.Popen(
        [str(Path(sys.executable).parent / "snmpsim-command-responder"), f"--data-dir={recording.parent}",
         f"--cache-dir={cache}", f"--agent-udpv4-endpoint={_LOCALHOST}:{port}", "--logging-method=null", *_user()],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        served = Served(_LOCALHOST, port, process.pid, recording.stem)
        try:
            eventually(lambda: _answers(process, served), deadline_s=300)
            yield served
        finally:
            process.kill()


def _user() -> list[str]:
    """Say who it runs as, which it insists on as root. Another user might not get at this Python."""
    return ["--process-user=root", "--process-group=root"] if os.geteuid() == 0 else []


def _answers(process: "subprocess.Popen[bytes]", served: Served) -> bool:
    assert process.poll() is None, "snmpsim ended"
    return served.tools.run("snmpgetnext", "1.3").returncode == 0
