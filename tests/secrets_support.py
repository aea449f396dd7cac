"""What the test of secrets needs: a device of each protocol that wants a secret, and the forms in which one may leak.

A protocol is one `Case`. Secrets are made anew for each run, of letters that stand in no hash.
"""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from starlette.requests import Request
from starlette.responses import Response

from tests.custom_support import ups_daemon
from tests.http_support import Device, json_page, serving
from tests.snmp_support import SnmpdAgent

_LETTERS = "GHJKLMNPQRSTUVWXYZghjkmnpqrstuvwxyz"
PREFIX = 6  # of a secret's characters that nobody may see either

Serve = Callable[[Path, Sequence[str]], AbstractAsyncContextManager[int]]
"""Serves a device that accepts secrets; yields its port."""


def new_secret() -> str:
    """Make a secret that nothing else is like."""
    return "".join(secrets.choice(_LETTERS) for _ in range(21))


@dataclass(frozen=True, slots=True)
class Case:
    """A protocol, and how it is spoken with secrets."""

    name: str
    credential: str  # the lines of credentials.toml; {0}, {1} stand for where its secrets are kept
    profile: str  # a file's text, or the name of a built-in one
    serve: Serve
    secrets: int = 1
    right: tuple[str, ...] = field(default_factory=tuple)
    wrong: tuple[str, ...] = field(default_factory=tuple)


def forms(secret: str) -> Iterator[bytes]:
    """Yield a secret as it may stand somewhere: turned round, in hex, in base64; mostly its beginning."""
    octets = secret.encode()
    yield octets[:PREFIX]  # and so the whole
    yield octets[::-1]
    yield octets[:PREFIX].hex().encode()
    yield octets[:PREFIX].hex().upper().encode()
    yield octets[:PREFIX].hex(":").encode()
    yield secret[:PREFIX].encode("utf-16-le")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + octets)
        yield encoded[4:-4]  # what stands around it changes its first and last letters


@asynccontextmanager
async def community(directory: Path, words: Sequence[str]) -> AsyncIterator[int]:
    with SnmpdAgent(directory, extra=f"rocommunity {words[0]}\n") as agent:
        yield agent.port


@asynccontextmanager
async def user(directory: Path, words: Sequence[str]) -> AsyncIterator[int]:
    with SnmpdAgent(directory, extra=f"createUser it SHA-256 {words[0]} AES {words[1]}\nrouser it priv\n") as agent:
        yield agent.port


@asynccontextmanager
async def shell(directory: Path, words: Sequence[str]) -> AsyncIterator[int]:
    class Door(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return password == words[0]

    def answer(process: Any) -> None:
        process.stdout.write("0.5 0.4 0.3 1/200 1234\n")
        process.exit(0)

    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(Door, "127.0.0.1", 0, server_host_keys=[key], process_factory=answer)
    yield server.get_port()
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def page(directory: Path, words: Sequence[str]) -> AsyncIterator[int]:
    expected = "Basic " + base64.b64encode(f"it:{words[0]}".encode()).decode()

    def answer(request: Request) -> Response:
        return json_page({"load": 5}) if request.headers.get("authorization") == expected else Response("no", 401)

    async with serving(Device()) as device:
        device.on("/load", answer)
        yield device.port


@asynccontextmanager
async def daemon(directory: Path, words: Sequence[str]) -> AsyncIterator[int]:
    async with ups_daemon("it", words[0]) as port:
        yield port


USER = 'version = "3"\nuser = "it"\nauth_protocol = "sha256"\nauth_key = {0}\npriv_protocol = "aes128"\npriv_key = {1}'
SHELL = 'protocol = "ssh"\nplatform = "linux"\n[commands.load]\ncommand = "cat /proc/loadavg"\n'
PAGE = 'protocol = "http"\ntls = false\n[requests.load]\npath = "/load"\nscalars = { load = "load" }\n'

CASES = (
    Case("v2c", "community = {0}", "system", community),
    Case("v3", USER, "system", user, secrets=2),
    Case("ssh", 'protocol = "ssh"\nuser = "it"\npassword = {0}', SHELL, shell),
    Case("http", 'protocol = "http"\nscheme = "basic"\nuser = "it"\npassword = {0}', PAGE, page),
    Case("custom", 'protocol = "nut-ups"\nuser = "it"\npassword = {0}', 'protocol = "nut-ups"\n', daemon),
)


def found_in(text: bytes, words: Sequence[str]) -> list[str]:
    """Return which secrets stand in a text in any form, as their place among the words, with what is around."""
    seen = []
    for number, word in enumerate(words):
        for form in forms(word):
            if (at := text.find(form)) >= 0:
                seen.append(f"secret {number} as {form!r}: {text[max(0, at - 60) : at + 60]!r}")
                break
    return seen


async def off_the_loop(call: Callable[..., Any], *arguments: Any) -> Any:
    """Run what blocks beside the loop, which serves the devices."""
    return await asyncio.to_thread(call, *arguments)
