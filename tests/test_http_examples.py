"""The example profiles of conf/ and the credentials of docs/http.md, on devices that answer as real ones do."""

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response

from streampoll.config.convert import Place
from streampoll.config.credential_http import read_http
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.config.source import nowhere
from streampoll.http.credential import HttpCredential
from streampoll.http.plan import HttpPlan
from streampoll.model import Status
from tests.http_support import Device, json_page, poll, polling, serving
from tests.security_support import authority

TOP = Path(__file__).resolve().parent.parent
METRICS = """\
node_load1 0.42
node_time_seconds 1.7e+09
node_boot_time_seconds 1.6e+09
node_network_receive_bytes_total{device="eth0"} 100
node_network_transmit_bytes_total{device="eth0"} 200
node_network_up{device="eth0"} 1
node_filesystem_size_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 1000
node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 600
node_cpu_seconds_total{cpu="0",mode="idle"} 9.5
node_cpu_seconds_total{cpu="0",mode="user"} 1.5
"""


@pytest_asyncio.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    async with serving(Device(), authority(tmp_path).issue("bmc")) as device:
        yield device


def example(name: str) -> HttpPlan:
    report = Report()
    found = read_profiles(TOP / "conf/profiles", "profiles", report)[name]
    assert isinstance(found, HttpPlan)
    return found


def documented(name: str) -> HttpCredential:
    """Return a credential of docs/http.md, its secrets "word"."""
    text = (TOP / "docs/http.md").read_text()
    blocks = [block.partition("```")[0] for block in text.split("```toml\n")[1:]]
    tables = [tomllib.loads(block) for block in blocks]
    table = next(each["credentials"][name] for each in tables if name in each.get("credentials", {}))
    assert table.pop("protocol") == "http"
    recipe = read_http(table, Place(nowhere("docs"), Report()))
    assert recipe is not None
    made: HttpCredential = recipe.make(dict.fromkeys(recipe.secrets, Secret("word")))
    return made


async def test_node_exporter_is_polled_by_the_example() -> None:
    async with serving(Device()) as host, polling() as poller:
        host.on("/metrics", Response(METRICS, media_type="text/plain; version=0.0.4; charset=utf-8"))
        outcome = await poll(poller, host, example("node_exporter"))

    assert (outcome.status, outcome.error) == (Status.OK, "")
    assert outcome.values == {"node_load1": 0.42, "node_boot_time_seconds": 1.6e9, "time": 1.7e9}
    assert {name: list(map(tuple, table.rows)) for name, table in outcome.tables.items()} == {
        "interfaces": [("eth0", "eth0", 100, 200, 1)],
        "filesystems": [('device="/dev/sda1",mountpoint="/"', "/", "/dev/sda1", 1000, 600)],
        "processors": [("0", "0", 9.5, 1.5)],
    }


def redfish(device: Device) -> None:
    """Answer as a management controller does: sessions by POST, addresses in answers."""

    async def sessions(request: Request) -> Response:
        assert await request.json() == {"UserName": "poller", "Password": "word"}
        where = "https://bmc.example/redfish/v1/SessionService/Sessions/7"
        return Response(status_code=201, headers={"x-auth-token": "abc", "location": where})

    def guarded(document: object) -> object:
        return lambda request: (
            json_page(document) if request.headers.get("x-auth-token") == "abc" else Response(status_code=401)
        )

    def member(path: str) -> dict[str, object]:
        return {"Members": [{"@odata.id": path}]}

    root = "/redfish/v1"
    pages = {
        "/Systems": member(f"{root}/Systems/1"),
        "/Systems/1": {"Model": "R1", "SerialNumber": "S1", "PowerState": "On", "Status": {"Health": "OK"},
                       "MemorySummary": {"TotalSystemMemoryGiB": 64}},
        "/Chassis": member(f"{root}/Chassis/1"),
        "/Chassis/1": {"Thermal": {"@odata.id": f"{root}/Chassis/1/Thermal"}},
        "/Chassis/1/Thermal": {
            "Temperatures": [{"Name": "Inlet", "ReadingCelsius": 21.5, "UpperThresholdCritical": 42}],
            "Fans": [{"Name": "Fan 1", "Reading": 4200, "ReadingUnits": "RPM", "Status": {"Health": "OK"}}],
        },
    }  # fmt: skip
    device.on(f"{root}/SessionService/Sessions", sessions)
    device.on(f"{root}/SessionService/Sessions/7", Response(status_code=204))
    for path, document in pages.items():
        device.on(root + path, guarded(document))  # type: ignore[arg-type]


async def test_redfish_is_polled_by_the_example_and_its_session_ended(device: Device) -> None:
    redfish(device)
    async with polling() as poller:
        outcome = await poll(poller, device, example("redfish"), documented("bmc"), tls_verify="none")

    assert (outcome.status, outcome.error) == (Status.OK, "")
    assert (outcome.values["model"], outcome.values["memory_gib"]) == ("R1", 64)
    assert outcome.tables["fans"].rows == [["Fan 1", "Fan 1", 4200, "RPM", "OK"]]
    assert outcome.tables["temperatures"].rows == [["Inlet", "Inlet", 21.5, 42, None]]
    last = device.asked[-1]
    assert (last.method, last.path) == ("DELETE", "/redfish/v1/SessionService/Sessions/7")
