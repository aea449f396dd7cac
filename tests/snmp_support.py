"""net-snmp's agent for tests: a real snmpd on a random UDP port, gone when the block is left."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

COMMUNITY = "public"
V3_KEY = "a-long-passphrase"

_CONFIGURATION = f"""
agentaddress udp:0.0.0.0:%(port)d
rocommunity {COMMUNITY}
rocommunity narrow default .1.3.6.1.2.1.1.3
sysName agent-under-test
sysLocation rack 7
sysContact ops@example.net
sysServices 72
createUser plain
createUser md5des MD5 {V3_KEY} DES {V3_KEY}
createUser shaaes SHA {V3_KEY} AES {V3_KEY}
createUser sha256aes SHA-256 {V3_KEY} AES {V3_KEY}
createUser sha256aes256 SHA-256 {V3_KEY} AES-256 {V3_KEY}
createUser shaonly SHA {V3_KEY}
rouser plain noauth
rouser md5des priv
rouser shaaes priv
rouser sha256aes priv
rouser sha256aes256 priv
rouser shaonly auth
"""


def free_udp_port() -> int:
    """Find a UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 0))
        return int(sock.getsockname()[1])


def _find_snmpd() -> str:
    binary = shutil.which("snmpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if binary is None:
        raise RuntimeError("snmpd is not installed; these tests need it: apt-get install snmpd")
    return binary


class SnmpdAgent:
    """`with SnmpdAgent(tmp_path) as agent:` gives (127.x.y.z, agent.port): it answers on all of 127.0.0.0/8.

    v1 and v2c with the community "public"; v3 users as in `_CONFIGURATION`. `extra` is appended to its configuration.
    """

    def __init__(self, directory: Path, *, extra: str = "", command: Sequence[str] = ()) -> None:
        self._directory = directory
        self._extra = extra
        self._command = command  # put before snmpd: ("taskset", "-c", "1")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def __enter__(self) -> "SnmpdAgent":
        binary = _find_snmpd()
        self._directory.mkdir(parents=True, exist_ok=True)
        for _ in range(5):
            if self._start(binary):
                return self
            self._stop()
        raise RuntimeError(f"snmpd does not start; its log: {(self._directory / 'log').read_text()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def restart(self, *, forgetful: bool = False) -> None:
        """End it and start it again on its port: one boot later, or with nothing of what it knew, its engine ID too."""
        self._stop()
        if forgetful:
            shutil.rmtree(self._directory / "persistent")
        if not self._start(_find_snmpd(), self.port):
            raise RuntimeError("snmpd does not start again")

    def _start(self, binary: str, port: int = 0) -> bool:
        """Start it, on a new port if none is given; True once it answers."""
        self.port = port or free_udp_port()
        configuration = self._directory / "snmpd.conf"
        configuration.write_text(_CONFIGURATION % {"port": self.port} + self._extra)
        kept = self._directory / "persistent" / "snmpd.conf"  # engine ID and boots; -C would have it not read
        files = f"{configuration},{kept}" if kept.exists() else str(configuration)
        log = self._directory / "log"
        self._process = subprocess.Popen(
            [*self._command, binary, "-f", "-C", "-c", files, "-Lf", str(log), "-x", "", "-I", "-smux"],
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(self._directory / "persistent"), "MIBS": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while time.monotonic() < end and self._process.poll() is None:
            if self._answers():
                return True
        return False

    def _answers(self) -> bool:
        """Ask for sysUpTime.0 once, with a hand-made request."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            try:
                sock.connect(self.address)
                sock.send(
                    bytes.fromhex(
                        "302902010104067075626c6963a01c020401020304020100020100300e300c06082b060102010103000500"
                    )
                )
                return bool(sock.recv(2000))
            except OSError:
                time.sleep(0.02)
                return False

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
