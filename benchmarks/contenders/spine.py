"""Cacti's poller spine with MariaDB, from the distribution: one GET of ten numbers a host, rows in its output table.

spine polls all hosts once and ends; here it is run again and again, as cron does, without Cacti's web side that would
read the rows. It takes numbers only, so sysName's place is taken by one more counter. Cacti's schema is not ours to
carry: package cacti has it, or $CACTI_SQL names the file.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.ground import START_S, Ground, Runner, begun
from benchmarks.rig.environments import MissingPeer
from benchmarks.rig.processes import running, tail, wait_until
from benchmarks.rig.roles import Roles
from streampoll.embedded.places import free_port

THREADS = 10
SCHEMAS = ("/usr/share/doc/cacti/cacti.sql", "/usr/share/cacti/conf_templates/cacti.sql")
PROGRAMS = ("spine", "mariadbd", "mariadb-install-db", "mariadb")
_PATH = "/usr/sbin:/usr/bin:/usr/local/bin"
_ROOM = "--max-heap-table-size=2G"  # its output table is in memory; by default it is full after 2,900 polls
_INSTEAD_OF_TEXT = "1.3.6.1.2.1.31.1.1.1.8.1"  # ifHCInMulticastPkts
_CONFIGURATION = "DB_Host 127.0.0.1\nDB_Database cacti\nDB_User cacti\nDB_Pass cacti\nDB_Port {port}\nPoller 1\n"
_ACCESS = """
CREATE DATABASE cacti;
CREATE USER 'cacti'@'127.0.0.1' IDENTIFIED BY 'cacti';
GRANT ALL ON *.* TO 'cacti'@'127.0.0.1';
"""
_SETTINGS = {
    "poller_interval": "60", "availability_method": "0", "path_php_binary": "/bin/true", "log_verbosity": "2",
    "max_threads": str(THREADS), "path_cactilog": "/dev/null",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Database:
    """The running MariaDB."""

    programs: dict[str, str]
    socket: Path
    pid: int
    port: int

    def ask(self, statements: str, database: str = "cacti") -> str:
        """Run statements as root; return what they print, without headings."""
        command = [
            self.programs["mariadb"],
            "--no-defaults",
            "-N",
            "-B",
            "-S",
            str(self.socket),
            "-u",
            "root",
            database,
        ]
        done = subprocess.run(command, input=statements, capture_output=True, text=True, check=True)
        return done.stdout.strip()


@contextmanager
def spine(ground: Ground) -> Iterator[Runner]:
    """Run MariaDB, and spine over and over."""
    ground.asked.only_scalars()
    programs, schema = _found()
    with ExitStack() as stack:
        database = stack.enter_context(_database(ground.where, programs))
        database.ask(_ACCESS, "mysql")
        database.ask(schema.read_text())
        database.ask("\n".join(_rows(ground)))
        configuration = ground.where / "spine.conf"
        configuration.write_text(_CONFIGURATION.format(port=database.port))
        log = ground.where / "spine.log"
        once = f"{programs['spine']} -C {configuration} -S -V 2 -f 1 -l {ground.devices}"
        loop = stack.enter_context(running(["/bin/sh", "-c", f"while {once}; do :; done"], log))
        roles = Roles({"spine": [loop.pid], "mariadb": [database.pid]})
        versions = {"spine": _version(programs["spine"]), "mariadb": database.ask("SELECT version()")}
        runner = Runner(roles, lambda: _polled(database), lambda: _values(database), versions, [loop])
        yield stack.enter_context(begun(runner, lambda: tail(log)))


def _found() -> tuple[dict[str, str], Path]:
    found = {name: shutil.which(name, path=_PATH) for name in PROGRAMS}
    if lacking := [name for name, path in found.items() if path is None]:
        packages = "cacti-spine mariadb-server-core mariadb-client-core"
        raise MissingPeer(f"{', '.join(lacking)} not installed: apt-get install --no-install-recommends {packages}")
    places = [Path(place) for place in (os.environ.get("CACTI_SQL", ""), *SCHEMAS) if place]
    schema = next((place for place in places if place.exists()), None)
    if schema is None:
        raise MissingPeer("no cacti.sql: install package cacti, or unpack it and name the file in CACTI_SQL")
    return {name: path for name, path in found.items() if path}, schema


@contextmanager
def _database(where: Path, programs: dict[str, str]) -> Iterator[Database]:
    """Run a MariaDB of its own; it does not run as root."""
    user = ("--user=nobody",) if os.geteuid() == 0 else ()
    data, socket, log, port = where / "data", where / "s", where / "mariadb.log", free_port()
    install = [programs["mariadb-install-db"], "--no-defaults", f"--datadir={data}", *user]
    subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    if user:
        os.chown(where, pwd.getpwnam("nobody").pw_uid, -1)
    command = [
        programs["mariadbd"], "--no-defaults", f"--datadir={data}", f"--socket={socket}", f"--port={port}",
        "--bind-address=127.0.0.1", f"--pid-file={where / 'pid'}", _ROOM, *user,
    ]  # fmt: skip
    with running(command, log) as process:
        wait_until(socket.exists, START_S, f"MariaDB\n{tail(log)}")
        yield Database(programs, socket, process.pid, port)


def _rows(ground: Ground) -> Iterator[str]:
    """Yield the statements that fill Cacti's tables."""
    for name, value in _SETTINGS.items():
        yield f"REPLACE INTO settings VALUES ('{name}', '{value}');"
    yield f"UPDATE poller SET threads = {THREADS}; DELETE FROM host; DELETE FROM poller_item;"
    access = f"'{ground.community}', 2, {ground.port}, 2000"
    for host, address in enumerate(ground.addresses, 1):
        yield (
            "INSERT INTO host (id, description, hostname, snmp_community, snmp_version, snmp_port, snmp_timeout,"
            f" availability_method, max_oids) VALUES ({host}, '{address}', '{address}', {access}, 0, 10);"
        )
        for number, value in enumerate(ground.asked.scalars):
            oid = value.oid if value.numeric else _INSTEAD_OF_TEXT
            yield (
                "INSERT INTO poller_item (local_data_id, host_id, hostname, snmp_community, snmp_version, snmp_port,"
                f" snmp_timeout, action, rrd_name, rrd_path, rrd_num, rrd_step, rrd_next_step, arg1) VALUES"
                f" ({host * 100 + number}, {host}, '{address}', {access}, 0, 'v{number}', '', 1, 60, 0, '.{oid}');"
            )


def _polled(database: Database) -> int:
    """Return how many hosts' values are there; `U` is a value that was not got."""
    return int(database.ask("SELECT count(*) FROM poller_output WHERE output <> 'U'")) // 10


def _values(database: Database) -> list[int]:
    """Return how many values each poll of a host gave; a statement of spine writes all of a host."""
    said = database.ask("SELECT sum(output <> 'U') FROM poller_output GROUP BY local_data_id DIV 100, time")
    return [int(line) for line in said.splitlines()]


def _version(program: str) -> str:
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout.split()
    return said[1] if len(said) > 1 else "unknown"
