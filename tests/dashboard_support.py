"""A server that answers the dashboard as the API does, from values a test can change, and a Chromium to look with.

The real API has its own tests, and the dashboard's actions are tried on it; here is what it can't be made to say at
will: two thousand devices, a hostile name, a stream that breaks.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvicorn
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests import waiting
from tests.dashboard_answers import OF_DEVICE, OF_FLEET, made_devices, made_stats

STATIC = Path(__file__).resolve().parent.parent / "streampoll/api/static"
CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_TICK_S = 0.2
_PATIENCE_S = 40.0  # a browser beside other tests takes its time
T = TypeVar("T")


def eventually(condition: Callable[[], T], deadline_s: float = _PATIENCE_S) -> T:
    """Return the condition's first true value, as `waiting.eventually`, with a browser's patience."""
    return waiting.eventually(condition, deadline_s)


@dataclass(slots=True)
class FakeApi:
    """What the fake answers; `acts` is what was asked to be done."""

    devices: list[dict[str, Any]] = field(default_factory=made_devices)
    stats: Any = made_stats  # number of the snapshot -> Stats
    token: str = ""
    role: str = "operator"
    acts: list[tuple[str, Any]] = field(default_factory=list)
    port: int = 0
    _broken: threading.Event = field(default_factory=threading.Event)

    @property
    def streaming(self) -> bool:
        """Whether the stream goes on; where it is told not to, it ends at once."""
        return not self._broken.is_set()

    @streaming.setter
    def streaming(self, wanted: bool) -> None:
        (self._broken.clear if wanted else self._broken.set)()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/"

    async def answer(self, request: Request) -> Response:
        """Answer any path below /api/v1."""
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"title": "Unauthorized", "detail": "send a token"}, 401)
        path = request.path_params["path"]
        if request.method == "POST":
            self.acts.append((path, await request.json()))
            return JSONResponse({"gone": []})
        if path == "stream":
            return (
                StreamingResponse(self._stream(), media_type="text/event-stream")
                if self.streaming
                else Response(status_code=503)
            )
        if path == "whoami":
            return JSONResponse({"name": "wall", "role": self.role})
        if path == "devices":
            return JSONResponse(self._page(request.query_params))
        if path in OF_FLEET:
            return JSONResponse(OF_FLEET[path](self.devices, request.query_params))
        return self._of_device(path)

    async def _stream(self) -> AsyncIterator[bytes]:
        number = 0
        while self.streaming:
            data = msgspec.json.encode({"stats": self.stats(number), "polls": {"by_status": {}}})
            yield b"event: stats\ndata: " + data + b"\n\n"
            number += 1
            await asyncio.to_thread(self._broken.wait, _TICK_S)

    def _page(self, query: Any) -> dict[str, Any]:
        found = [
            each
            for each in self.devices
            if query.get("q", "") in each["name"] and each["name"] > query.get("after", "")
        ]
        page = found[: int(query["limit"])]
        return {
            "devices": page,
            "total": len(self.devices),
            "after": page[-1]["name"] if len(found) > len(page) else None,
        }

    def _of_device(self, path: str) -> Response:
        name, _, part = path.removeprefix("devices/").rpartition("/")
        if part not in ("polls", "last", "series"):
            name, part = path.removeprefix("devices/"), ""
        device = next((each for each in self.devices if each["name"] == name), None)
        if device is None:
            return JSONResponse({"title": "Not Found", "detail": f"there is no device {name!r}"}, 404)
        return JSONResponse(OF_DEVICE[part](device))


@contextmanager
def served(fake: FakeApi) -> Iterator[FakeApi]:
    """Serve it on a free port, in a thread."""
    inner = Starlette(
        routes=[
            Route("/api/v1/{path:path}", fake.answer, methods=["GET", "POST"]),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ]
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fake.port = listening.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(_with_policy(inner), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            fake.streaming = False
            server.should_exit = True
            thread.join()


def _with_policy(inner: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"content-security-policy", CSP.encode())]}
            await send(message)

        await inner(scope, receive, sending)

    return app


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Run the distribution's Chromium without a screen; all that it says in its console is kept."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "window-size=1440,1000",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(60)
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The dashboard as somebody looks at it."""

    def __init__(self, browser: webdriver.Chrome, url: str, fake: "FakeApi | None" = None) -> None:
        self.browser = browser
        self.url = url
        self.fake = fake or FakeApi()

    def open(self, page: str = "#/") -> None:
        """Load a page anew, and wait until it is live."""
        self.browser.get("about:blank")
        self.browser.get(self.url + page)
        eventually(self.live)

    def live(self) -> bool:
        return self.text(".connection") == "live"

    def find(self, css: str) -> WebElement:
        """The first element, once it is there and seen."""
        return eventually(lambda: [each for each in self.all(css) if each.is_displayed()])[0]

    def all(self, css: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        """What the first such element says; "" while there is none."""
        with contextlib.suppress(StaleElementReferenceException):
            return next((each.text for each in self.all(css)), "")
        return ""

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def button(self, words: str, within: str = "main") -> WebElement:
        """The first button with these words."""
        return eventually(lambda: [each for each in self.all(f"{within} button") if each.text == words])[0]

    def ask(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def sized(self, metrics: dict[str, Any]) -> None:
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def errors(self) -> list[str]:
        """What the console complains of since it was last asked."""
        return [each["message"] for each in self.browser.get_log("browser") if each["level"] == "SEVERE"]
