"""A device that answers with anything: whatever it is, the poll ends as an outcome that can be stored."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streampoll.config.secret import Secret
from streampoll.http.credential import Basic, Digest
from streampoll.model import Status, Trace
from streampoll.results.codec import decode_payload, encode_payload
from tests.http_support import Device, credential, plan, poll, polling
from tests.test_http_login import FORM_LOGIN, JSON_LOGIN

ROUNDS = 40  # for each of the credentials
PLAN = """
tls = false
[requests.list]
path = "/list"
extract = { x = "x" }
redirects = 2
pages = { next = "n" }
[requests.list.tables.t]
rows = "d"
columns = { a = "a", b = "b.c" }
[requests.named]
path = "{x}"
scalars = { q = "length(q)", r = "r" }
conditional = true
[requests.metrics]
path = "/metrics"
format = "prometheus"
metrics = ["*"]
"""
LIKELY = (b"HTTP/1.1 200 OK", b"HTTP/1.1 401 No", b"HTTP/1.1 302 F", b"HTTP/1.1 429 x")
STRANGE = (b"HTTP/1.0 200", b"HTTP/2 200", b"HTTP/1.1 99 x", b"HTTP/1.1 304 x", b"\x00\xff", b"")
HEADERS = (
    b"Content-Type: text/html; charset=\xff",
    b"Content-Type: text/plain",
    b"Location: http://[::",
    b"Location: //e\xffvil/%zz",
    b"Set-Cookie: SESSION=\xff; Max-Age=x; expires=rubbish",
    b"Set-Cookie: SESSION=a",
    b"Retry-After: 0",
    b"Retry-After: Sun, 99 Nov 99999 99:99:99 GMT",
    b'WWW-Authenticate: Digest realm="\xff", nonce="\x01", qop="auth-int"',
    b'WWW-Authenticate: Digest realm="a", nonce="b", qop="auth", algorithm=SHA-512-256',
    b"Content-Encoding: gzip",
    b"Transfer-Encoding: chunked",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b'ETag: "\xc3\xa9"',
    b"Link: <http://[>; rel=next",
    b"X: " + b"y" * 70_000,
)
BODIES = (
    b'{"x":"/b?x=\\u0000","d":[{"a":1e400}],"n":"http://[::"}',
    b'{"x":"//evil\\n/..","d":{"k":[]},"n":{"a":1}}',
    b'{"x":true,"d":[1,null,[]],"n":"?p=2"}',
    b'{"data":{"token":"a"},"x":"http://[::","d":[]}',
    b'{"q":1,"r":{"a":1},"x":"\xf0\x9f\x98\x80","d":[{"a":123456789012345678901234567890}]}',
    b"\xef\xbb\xbf{}",
    b'a{b="c"} 1\nq NaN\n# TYPE x histogram\n',
    b"5\r\nhello\r\n0\r\n\r\n",
    b"zz\r\n",
    b"<form><input type=password>",
    b"",
    b"\xff\xfe",
)
WAYS = {
    "none": None,
    "basic": credential(Basic("poller", Secret("a password"))),
    "digest": credential(Digest("pö", Secret("w"))),
    "json": credential(JSON_LOGIN),
    "form": credential(FORM_LOGIN),
}


def anything(chance: random.Random) -> bytes:
    """Return an answer that is more often nearly right than not."""
    body = chance.choice(BODIES)
    headers = chance.sample(HEADERS, chance.randint(0, 3))
    if chance.random() < 0.7:
        headers.append(b"Content-Length: %d" % len(body))
    if chance.random() < 0.6:
        headers.append(b"Content-Type: application/json")
    return b"\r\n".join([chance.choice(LIKELY if chance.random() < 0.9 else STRANGE), *headers]) + b"\r\n\r\n" + body


@asynccontextmanager
async def hostile(seed: int) -> AsyncIterator[Device]:
    chance = random.Random(seed)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(anything(chance))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield Device(port=server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("who", WAYS)
async def test_whatever_a_device_answers_the_poll_is_an_outcome(who: str) -> None:
    asked = plan(PLAN)
    async with hostile(7) as device, polling(read_timeout_s=0.3, max_body_bytes=4096, max_retry_after_s=0) as poller:
        for _ in range(ROUNDS):
            outcome = await poll(poller, device, asked, WAYS[who])
            kept, _ = decode_payload(encode_payload(outcome, Trace(1, 1, 1, 1, 1, 1, "x")))
            assert kept.status is outcome.status
            assert bool(outcome.error) == (outcome.status is not Status.OK)
            assert "\n" not in outcome.error
