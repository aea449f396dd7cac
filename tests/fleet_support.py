"""Running fleets and asking them with net-snmp's own tools."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.fleet.process import spawn

TOOL_TIMEOUT_S = 30
WALK_ENDS = ("(It is past the end of the MIB tree)", "End of MIB")


@dataclass(frozen=True, slots=True)
class RunningFleet:
    """A fleet in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def stop(self) -> dict[str, float]:
        """Ask it to end, and return its report."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=10)
        assert self.process.returncode == 0
        return json.loads(out)


@contextmanager
def running_fleet(settings: FleetSettings) -> Iterator[RunningFleet]:
    """Run a fleet as long as the block; nothing of it is left behind."""
    how = spawn(settings, report=True)
    with subprocess.Popen(how.arguments, env=os.environ | how.environment, stdout=subprocess.PIPE) as process:
        try:
            yield RunningFleet(process, json.loads(process.stdout.readline())["port"])
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class NetSnmp:
    """net-snmp's command-line tools against one device."""

    port: int
    address: str = "127.1.0.1"
    version: str = "2c"
    community: str = "public"

    def run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a tool: numeric OIDs and enumerations, no MIB, two seconds, one retry."""
        with tempfile.TemporaryDirectory() as persistent:
            return subprocess.run(
                [tool, f"-v{self.version}", "-c", self.community, "-m", "", "-On", "-t1", "-r1",
                 f"{self.address}:{self.port}", *arguments],
                env=os.environ | {"SNMP_PERSISTENT_DIR": persistent, "SNMPCONFPATH": persistent},
                capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False,
            )  # fmt: skip

    def lines(self, tool: str, *arguments: str) -> list[str]:
        """Return what a tool that must succeed prints, without the note that ends a walk."""
        done = self.run(tool, *arguments)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if not line.endswith(WALK_ENDS)]


def names(lines: list[str]) -> list[str]:
    """Return the OIDs of a tool's lines."""
    return [line.partition(" = ")[0] for line in lines]
