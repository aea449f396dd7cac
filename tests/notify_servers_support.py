"""What messages are sent to in the tests: a mail server and a receiver of webhooks, real ones, in threads."""

import hashlib
import hmac
import json
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a webhook's key"


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook as it came."""

    path: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.content)

    @property
    def key(self) -> str:
        return self.headers["Idempotency-Key"]

    def is_signed(self, key: str = KEY) -> bool:
        """Verify a signature as docs/notifications.md tells receivers to."""
        parts = dict(part.split("=", 1) for part in self.headers["Streampoll-Signature"].split(","))
        proof = hmac.new(key.encode(), parts["t"].encode() + b"." + self.content, hashlib.sha256).hexdigest()
        return hmac.compare_digest(proof, parts["v1"])


@dataclass(slots=True)
class Receiver:
    """Takes webhooks; answers as `answer` says: a status and headers."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, dict[str, str]]] = lambda _: (200, {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=t0ken"


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver of webhooks."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            content = self.rfile.read(length)
            if len(content) < length:  # its sender was killed: nothing was received
                return
            received = Received(self.path, dict(self.headers), content)
            receiver.received.append(received)
            status, headers = receiver.answer(received)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@dataclass(slots=True)
class Mailbox:
    """What a mail server was given."""

    port: int = 0
    mails: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuses: str = ""  # a line that it answers RCPT with
    hangs: threading.Event = field(default_factory=threading.Event)  # set: it says nothing

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=poll@example.com&to=noc@example.com&mode=insecure"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Run an SMTP server."""
    mailbox = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if mailbox.hangs.is_set():
                self.rfile.read()
                return
            self.say("220 mail.example.com")
            while line := self.rfile.readline().decode().strip():
                word = line.split(":")[0].split(" ")[0].upper()
                match word:
                    case "EHLO":
                        self.say("250-mail.example.com\r\n250 AUTH PLAIN")
                    case "AUTH":
                        self.say("235 welcome")
                    case "RCPT":
                        mailbox.recipients.append(line)
                        self.say(mailbox.refuses or "250 ok")
                    case "DATA":
                        self.say("354 go on")
                        mailbox.mails.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                        self.say("250 taken")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 ok")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
