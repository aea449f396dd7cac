"""`GET /api/v1/stream`: server-sent events, for the dashboard and anybody else."""

import asyncio

from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.routing import Route as Path_
from starlette.types import ASGIApp, Receive, Scope, Send

from streampoll.api.application import caller_of
from streampoll.api.auth import Gate
from streampoll.api.broadcast import Broadcast, Listener
from streampoll.api.problem import ProblemError, problem_of
from streampoll.results.control import Role

_ALIVE_S = 15.0  # without a message: a comment, so that what stands between does not give the connection up
_SLOW_S = 10.0  # for one message to be taken; then the listener is let go


class StreamAnswer:
    """Answers one listener until it goes or is let go."""

    def __init__(self, broadcast: Broadcast, after: int | None) -> None:
        self._broadcast = broadcast
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send messages as they come."""
        async with self._broadcast.listening(self._after) as listener:
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _sent(send, b"retry: 3000\n\n")
            leaving = asyncio.create_task(_left(receive, listener), name="stream-left")
            try:
                await _pump(send, listener)
            finally:
                leaving.cancel()
        await _sent(send, b"", more=False)


async def _pump(send: Send, listener: Listener) -> None:
    while True:
        try:
            async with asyncio.timeout(_ALIVE_S):
                message = await listener.next()
        except TimeoutError:
            message = b": alive\n\n"
        if message is None:
            return
        await _sent(send, message)


async def _sent(send: Send, body: bytes, more: bool = True) -> None:
    """Send a part; one that is not taken in time ends the connection."""
    async with asyncio.timeout(_SLOW_S):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def _left(receive: Receive, listener: Listener) -> None:
    """Let a listener go that has gone by itself."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()


def stream_route(broadcast: Broadcast, gate: Gate) -> BaseRoute:
    """Return the route of the stream."""

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            gate.admit(caller_of(scope), Role.READ)
            after = _last_id(request)
            await StreamAnswer(broadcast, after)(scope, receive, send)
        except ProblemError as error:
            await problem_of(error)(scope, receive, send)
        except TimeoutError:
            return  # too slow: the server closes what was not finished

    return Path_("/api/v1/stream", _Raw(stream), methods=["GET"])


class _Raw:
    """An ASGI application as an endpoint: Starlette takes plain functions for something else."""

    def __init__(self, serve: ASGIApp) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def _last_id(request: Request) -> int | None:
    said = request.headers.get("last-event-id", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 20 else None
