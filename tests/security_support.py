"""Certificates, a PostgreSQL with TLS, a pgbouncer: made for a test and gone with it."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from streampoll.embedded.owner import own_directory, server_owner
from streampoll.embedded.places import free_port
from streampoll.embedded.process import ServerCommand, ServerProcess

PGBOUNCER = Path("/usr/sbin/pgbouncer")


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a directory."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "ca.pem"

    def issue(self, name: str, hosts: str = "IP:127.0.0.1,DNS:localhost") -> tuple[Path, Path]:
        """Return the files of a certificate and its key."""
        key, request, made = (self.directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={hosts}\n")
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.directory / "ca.key",
            "-CAcreateserial", "-days", "2", "-out", made, "-extfile", extensions,
        )  # fmt: skip
        return made, key


def authority(directory: Path) -> Authority:
    """Make an authority."""
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", directory / "ca.key", "-days", "2",
        "-out", directory / "ca.pem", "-subj", f"/CN=test {secrets.token_hex(4)}",
    )  # fmt: skip
    return Authority(directory)


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def give(path: Path, directory: Path) -> Path:
    """Copy a file to where a server's user may read it, and nobody else."""
    copy = directory / path.name
    shutil.copy(path, copy)
    copy.chmod(0o600)
    if owner := server_owner():
        os.chown(copy, owner.uid, owner.gid)
    return copy


@contextmanager
def pgbouncer(directory: Path, dsn: str) -> Iterator[str]:
    """Run a pgbouncer in transaction mode, two servers for any number of clients; yield its DSN."""
    parts, port = urlsplit(dsn), free_port()
    owner = server_owner()
    directory = own_directory(directory, owner)
    database = parts.path.strip("/")
    users = directory / "users.txt"
    users.write_text(f'"{parts.username}" "{parts.password}"\n')
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n{database} = host=127.0.0.1 port={parts.port} dbname={database}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\n"
        f"auth_file = {users}\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 50\n"
        "server_round_robin = 1\n"
    )
    for file in (users, configuration):
        give_away(file)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT)
    try:
        command = ServerCommand("pgbouncer", (str(PGBOUNCER), str(configuration)), directory, signal.SIGINT, owner)
        process = ServerProcess(command, lock)
    finally:
        os.close(lock)
    try:
        process.wait_ready(lambda: listens(port), 20.0)
        yield f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{port}/{database}"
    finally:
        process.kill()


def give_away(file: Path) -> None:
    file.chmod(0o600)
    if owner := server_owner():
        os.chown(file, owner.uid, owner.gid)


def listens(port: int) -> bool:
    """Tell whether somebody takes connections."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
