"""`/metrics` and `/metrics/device` over HTTP: routes for the API, and an application of their own.

Every failure is an answer: a Redis that is away is `streampoll_redis_up 0`, so that an alert can tell it from an
exporter that is down.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streampoll.errors import ConfigError, Fault, UnavailableError
from streampoll.observe.exposition import CONTENT_TYPE
from streampoll.results.reader import UnknownNameError

Fleet = Callable[[], Awaitable[bytes]]
"""Reads and writes the page of the whole fleet."""

OneDevice = Callable[[str, str], Awaitable[bytes]]
"""The page of a device (name, profile or "" for all of them)."""

Page = Callable[[Request], Awaitable[Response]]

_TOO_LONG = 512  # of a name in a query


@dataclass(frozen=True, slots=True)
class MetricsRoutes:
    """What answers."""

    fleet: Fleet
    device: OneDevice

    def pages(self) -> dict[str, Page]:
        """Return what answers on each path, for an application that has others too."""
        return {"/metrics": self._fleet, "/metrics/device": self._device}

    async def _fleet(self, request: Request) -> Response:
        return Response(await self.fleet(), media_type=CONTENT_TYPE)

    async def _device(self, request: Request) -> Response:
        target, module = request.query_params.get("target", ""), request.query_params.get("module", "")
        if not target or len(target) > _TOO_LONG or len(module) > _TOO_LONG:
            return PlainTextResponse("write /metrics/device?target=NAME&module=PROFILE\n", 400)
        try:
            return Response(await self.device(target, module), media_type=CONTENT_TYPE)
        except UnknownNameError as error:
            return PlainTextResponse(f"{error}\n", 404)
        except UnavailableError as error:
            return PlainTextResponse(f"{error}\n", 503)


def metrics_app(routes: MetricsRoutes) -> Starlette:
    """Return an application that serves nothing else."""
    return Starlette(routes=[Route(path, page) for path, page in routes.pages().items()])


def read_address(where: str, text: str) -> tuple[str, int]:
    """Return host and port of "HOST:PORT"; "[::1]:9585" for IPv6.

    Raises:
        ConfigError: it is not that.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigError([Fault(where, f"'{text[:80]}' is not an address to listen on", "write 127.0.0.1:9585")])
    return host.strip("[]"), int(port)
