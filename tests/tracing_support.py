"""A collector of traces: takes OTLP over HTTP, as OpenTelemetry's does, and keeps the spans."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Collected:
    """A span as it came; ids are hexadecimal."""

    service: str
    process: str  # service.instance.id
    name: str
    trace: str
    id: str
    parent: str
    says: dict[str, Any]
    failure: str
    links: frozenset[str]  # spans


@dataclass(slots=True)
class Collector:
    """What has come so far."""

    port: int = 0
    spans: list[Collected] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str, **says: Any) -> list[Collected]:
        """Return the spans of a name that say this."""
        return [
            span
            for span in list(self.spans)
            if span.name == name and all(span.says.get(f"streampoll.{key}") == value for key, value in says.items())
        ]

    def of(self, trace: str) -> dict[str, Collected]:
        """Return a trace's spans by name."""
        return {span.name: span for span in list(self.spans) if span.trace == trace}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
            assert self.path == "/v1/traces"
            collector.spans += _spans(ExportTraceServiceRequest.FromString(content))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _spans(request: Any) -> Iterator[Collected]:
    for resource in request.resource_spans:
        who = _plain(resource.resource.attributes)
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Collected(
                who["service.name"], who["service.instance.id"], span.name, span.trace_id.hex(), span.span_id.hex(),
                span.parent_span_id.hex(), _plain(span.attributes),
                span.status.message if span.status.code == 2 else "",
                frozenset(link.span_id.hex() for link in span.links),
            )  # fmt: skip


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
