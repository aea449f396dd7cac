"""A device with an HTTP API: uvicorn in the test's loop, with or without TLS, that answers as it is told."""

import asyncio
import hashlib
import ssl
import subprocess
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from streampoll.config.convert import Place
from streampoll.config.lines import toml_line
from streampoll.config.profile_http import HttpProfiles
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.config.settings import HttpSettings
from streampoll.config.source import Source
from streampoll.embedded.places import free_port
from streampoll.http.credential import Basic, HttpCredential, Scheme
from streampoll.http.plan import HttpPlan
from streampoll.model import Outcome, Scalar, Target
from streampoll.pollers.http import HttpPoller
from tests.security_support import listens
from tests.waiting import eventually

Handler = Callable[[Request], Response | Awaitable[Response]]


@dataclass
class Asked:
    """One request that a device got."""

    method: str
    path: str  # as it was sent, escaped
    query: str
    headers: dict[str, str]
    body: bytes
    client: tuple[str, int]
    version: str


@dataclass
class Device:
    """Answers by path; `asked` is what it was asked."""

    answers: dict[str, Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    def on(self, path: str, *answers: Response | Handler) -> None:
        """Answer a path with these in turn, the last one for ever."""
        turn = iter(answers)
        last: list[Response | Handler] = []

        def handler(request: Request) -> Response | Awaitable[Response]:
            last[:] = [next(turn, last[0] if last else answers[-1])]
            return last[0] if isinstance(last[0], Response) else last[0](request)

        self.answers[path] = handler

    def paths(self) -> list[str]:
        """Return the paths that were asked, in order."""
        return [each.path for each in self.asked]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["raw_path"].decode()
        body = await request.body()
        self.asked.append(
            Asked(
                request.method, path, scope["query_string"].decode(), dict(request.headers), body,
                scope["client"], scope["http_version"],
            )
        )  # fmt: skip
        found = self.answers.get(path, lambda _: Response("no such page", 404))(request)
        response = found if isinstance(found, Response) else await found
        await response(scope, receive, send)


@asynccontextmanager
async def serving(
    device: Device, certificate: tuple[Path, Path] | None = None, client_ca: Path | None = None
) -> AsyncIterator[Device]:
    """Serve a device on a port of its own, until the block ends.

    uvicorn's protocol on a server of our own: uvicorn's `serve` looks ten times a second whether it is to end.
    """
    files: dict[str, Any] = {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]} if certificate else {}
    if client_ca:
        files |= {"ssl_ca_certs": str(client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    config = uvicorn.Config(device, http="h11", ws="none", lifespan="off", log_config=None, **files)
    config.load()  # type: ignore[no-untyped-call]
    state = ServerState()
    protocol = partial(H11Protocol, config=config, server_state=state, app_state={})
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=config.ssl)
    device.port = server.sockets[0].getsockname()[1]
    try:
        yield device
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)


def json_page(document: object, **headers: str) -> Response:
    return JSONResponse(document, headers=headers)


def plan(text: str, name: str = "test") -> HttpPlan:
    """Compile a profile; a fault fails the test."""
    report = Report()
    compiled = compile_text(text, report, name)
    assert not report.faults, list(map(str, report.faults))
    assert compiled is not None
    return compiled


def compile_text(text: str, report: Report, name: str = "test") -> HttpPlan | None:
    place = Place(Source(f"{name}.toml", text, tomllib.loads(text), toml_line), report)
    reader = HttpProfiles()
    draft = reader.read(tomllib.loads(text), place)
    return reader.compile(name, [draft], place) if draft else None


def faults_of(text: str) -> list[str]:
    """Return what is wrong with a profile."""
    report = Report()
    compile_text(text, report)
    return list(map(str, report.faults))


def credential(scheme: Scheme, **more: Any) -> HttpCredential:
    return HttpCredential(scheme, **more)


def basic(password: str = "a password") -> HttpCredential:
    return HttpCredential(Basic("poller", Secret(password)))


@asynccontextmanager
async def polling(**settings: Any) -> AsyncIterator[HttpPoller]:
    """Yield a poller that is closed, with all its logouts, when the block ends."""
    poller = HttpPoller(HttpSettings(**settings))
    try:
        yield poller
    finally:
        await poller.close()


async def poll(
    poller: HttpPoller,
    device: Device,
    plan: HttpPlan,
    who: HttpCredential | None = None,
    limit_s: float = 10.0,
    **overrides: Scalar,
) -> Outcome:
    """Poll a device once."""
    own = {f"http.{name}": value for name, value in overrides.items()}
    target = Target("device-1", "127.0.0.1", device.port, plan.profile, "", own)
    return await poller.poll(target, plan, who, asyncio.get_running_loop().time() + limit_s)


def cells(outcome: Outcome, table: str) -> list[Sequence[object]]:
    return [tuple(row) for row in outcome.tables[table].rows]


def digest_of(certificate: Path) -> str:
    """Return a certificate's SHA-256 fingerprint."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


NGINX = Path("/usr/sbin/nginx")


@contextmanager
def nginx(directory: Path, certificate: tuple[Path, Path]) -> Iterator[int]:
    """Run an nginx with TLS, HTTP/2, gzip and a password; yield its port.

    `/system.json` is a file (so it has an ETag), `/guarded.json` the same behind a password, `/moved` a redirect.
    """
    if not NGINX.exists():
        pytest.fail("apt-get install nginx-light: nginx is not there")
    port = free_port()
    pages = directory / "pages"
    pages.mkdir()
    for name in ("system.json", "guarded.json"):
        (pages / name).write_text('{"name": "edge-1", "filling": "%s"}' % ("x" * 2000))
    (directory / "users").write_text("poller:{PLAIN}a password\n")
    (directory / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {directory}/pid; error_log stderr;\n"
        "events {}\nhttp { access_log off; types { application/json json; } gzip on; gzip_types application/json;\n"
        + "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in TEMPORARY)
        + f"server {{ listen 127.0.0.1:{port} ssl http2; root {pages};\n"
        f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};\n"
        f"location /moved {{ return 301 /system.json; }}\n"
        f'location /version {{ default_type application/json; return 200 \'{{"version": "$server_protocol"}}\'; }}\n'
        f"location /guarded.json {{ auth_basic ups; auth_basic_user_file {directory}/users; }} }} }}\n"
    )
    argv = [NGINX, "-e", "stderr", "-p", directory, "-c", directory / "nginx.conf"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: listens(port))
            yield port
        finally:
            process.terminate()


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
