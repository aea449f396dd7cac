"""Built-in profiles of families that no recording has: their MIBs' objects with values as such devices give them."""

import pytest

from streampoll.model import Outcome, Status
from streampoll.snmp.plan import CollectPlan
from tests.builtin_devices_support import people_see, poll_each
from tests.builtin_support import read

PLANS = {name: plan for name, plan in read()[0].items() if isinstance(plan, CollectPlan)}
WAVESERVER, LEOS, CES = "1.3.6.1.4.1.1271.3.4", "1.3.6.1.4.1.6141.2.60.4.1.1.1.1", "1.3.6.1.4.1.1271.2.1.9.1.1.1.1"
MIKROTIK, PRINTER, CX = "1.3.6.1.4.1.14988.1.1", "1.3.6.1.2.1.43", "1.3.6.1.4.1.47196.4.1.1.3.11"
APC, BGP = "1.3.6.1.4.1.318.1.1.1", "1.3.6.1.2.1.15"

DEVICES = {
    "ciena-waveserver": f"""
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.1271.3
        {WAVESERVER}.8.4.1.2.4.0|4|1.1
        {WAVESERVER}.8.5.1.3.4.0|2|0
        {WAVESERVER}.8.8.1.5.4.0|2|155037
        {WAVESERVER}.8.11.1.2.4.1.0|2|-83
        {WAVESERVER}.8.12.1.6.4.1.0|2|2
        {WAVESERVER}.8.13.1.2.4.1.0|2|-10
        {WAVESERVER}.15.4.1.2.4.0|4|1
        {WAVESERVER}.15.8.1.4.4.0|4|WaveLogic 3 Extreme Transceiver NxOTU4 C-Band
        {WAVESERVER}.15.13.1.2.4.0|2|38
    """,
    "ciena-saos": f"""
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.6141.1.96
        {LEOS}.2.11|2|2
        {LEOS}.16.11|2|34
        {LEOS}.19.11|2|412
        {CES}.2.1|2|2
    """,
    "mikrotik": f"""
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.14988.1
        1.3.6.1.2.1.31.1.1.1.1.7|4|wlan1
        {MIKROTIK}.3.8.0|2|239
        {MIKROTIK}.3.10.0|2|415
        {MIKROTIK}.3.15.0|2|1
        {MIKROTIK}.3.100.1.2.14|4|cpu-temperature
        {MIKROTIK}.3.100.1.3.14|66|52
        {MIKROTIK}.3.100.1.4.14|2|1
        {MIKROTIK}.19.1.1.2.2|4|sfp1
        {MIKROTIK}.19.1.1.9.2|2|-5432
        {MIKROTIK}.1.3.1.4.7|4|office
        {MIKROTIK}.1.3.1.6.7|65|3
    """,
    "printer": f"""
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1
        1.3.6.1.2.1.25.3.5.1.1.1|2|3
        1.3.6.1.2.1.25.3.5.1.2.1|4x|2100
        {PRINTER}.5.1.1.16.1|4|Upstairs
        {PRINTER}.10.2.1.3.1.1|2|7
        {PRINTER}.10.2.1.4.1.1|65|23417
        {PRINTER}.11.1.1.3.1.1|2|1
        {PRINTER}.11.1.1.3.1.2|2|0
        {PRINTER}.11.1.1.6.1.1|4|Black Cartridge
        {PRINTER}.11.1.1.6.1.2|4|Waste
        {PRINTER}.11.1.1.8.1.1|2|100
        {PRINTER}.11.1.1.8.1.2|2|-2
        {PRINTER}.11.1.1.9.1.1|2|63
        {PRINTER}.11.1.1.9.1.2|2|-3
        {PRINTER}.12.1.1.4.1.1|4|black
    """,
    "aruba-cx": f"""
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.47196.4.1.1.1.50
        {CX}.3.1.1.5.1.4.1.1|4|1/1-Inlet-Air
        {CX}.3.1.1.6.1.4.1.1|4|normal
        {CX}.3.1.1.7.1.4.1.1|2|23880
        {CX}.5.1.1.4.1.1.1|4|1/1/1
        {CX}.5.1.1.8.1.1.1|2|8640
        {CX}.2.1.1.3.1.1|4|1/1
        {CX}.2.1.1.7.1.1|2|104
    """,
    "apc-ups": f"""
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.318.1.3.27
        {APC}.2.1.1.0|2|2
        {APC}.2.2.3.0|67|720000
        {APC}.2.3.2.0|66|253
        {APC}.3.3.1.0|66|2304
        {APC}.4.1.1.0|2|2
        {APC}.4.3.3.0|66|318
    """,
    "bgp4": f"""
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.30065.1.1
        {BGP}.2.0|2|65001
        {BGP}.3.1.1.192.0.2.7|64|198.51.100.9
        {BGP}.3.1.2.192.0.2.7|2|6
        {BGP}.3.1.9.192.0.2.7|2|65002
        {BGP}.3.1.14.192.0.2.7|4x|0604
        {BGP}.3.1.16.192.0.2.7|66|86400
    """,
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Each device polled with its profile."""
    directory = tmp_path_factory.mktemp("devices")
    paths = {name: directory / f"{name}.snmprec" for name in DEVICES}
    for name, text in DEVICES.items():
        paths[name].write_text("".join(f"{line.strip()}\n" for line in text.split("\n")))
    polled = poll_each({path: PLANS[name] for name, path in paths.items()})
    return dict(zip(DEVICES, polled, strict=True))


EXPECTED: dict[str, dict[str, object]] = {
    "ciena-waveserver": {
        "wsPtps.1.1": {
            "cwsPtpPtpsPtpIndex": 4, "cwsPtpPtpIdName": "1.1", "cwsPtpPtpStateOperationalState": "up",
            "cwsPtpWavelengthActual": "1550.37 nm",
        },
        "wsChannels.4.1.0": {
            "cwsPtpPtpsPtpIndex": 4, "cwsPtpChannelChannelNumber": 1, "cwsPtpName": "1.1",
            "cwsXcvrRxPowerActual": "-8.3 dBm", "cwsPtpRxStatusLossOfSignal": "false",
            "cwsXcvrTxPowerActual": "-1.0 dBm",
        },
        "wsTransceivers.1": {
            "cwsXcvrXcvrsXcvrIndex": 4, "cwsXcvrXcvrIdName": "1",
            "cwsXcvrCienaIdDescription": "WaveLogic 3 Extreme Transceiver NxOTU4 C-Band",
            "cwsXcvrTemperatureActual": "38 °C",
        },
    },
    "ciena-saos": {
        "leosTransceivers.11": {
            "wwpLeosPortXcvrOperState": "enabled", "wwpLeosPortXcvrTemperature": "34 °C",
            "wwpLeosPortXcvrRxPower": "412 µW",
        },
    },
    "mikrotik": {
        "mtxrHlVoltage": "23.9 V", "mtxrHlTemperature": "41.5 °C", "mtxrHlPowerSupplyState": "true",
        "mtxrGauges.cpu-temperature": {
            "mtxrGaugeName": "cpu-temperature", "mtxrGaugeValue": 52, "mtxrGaugeUnit": "celsius",
        },
        "mtxrOptics.sfp1": {"mtxrOpticalName": "sfp1", "mtxrOpticalTxPower": "-5.432 dBm"},
        "mtxrAccessPoints.wlan1": {"ifIndex": 7, "ifName": "wlan1", "mtxrWlApSsid": "office", "mtxrWlApClientCount": 3},
    },
    "printer": {
        "printers.Upstairs": {
            "prtGeneralPrinterName": "Upstairs", "hrPrinterStatus": "idle",
            "hrPrinterDetectedErrorState": "lowToner serviceRequested",
        },
        "printMarkers.1.1": {
            "hrDeviceIndex": 1, "prtMarkerIndex": 1, "prtMarkerCounterUnit": "impressions", "prtMarkerLifeCount": 23417,
        },
        "printSupplies.Black Cartridge": {
            "hrDeviceIndex": 1, "prtMarkerSuppliesIndex": 1, "prtMarkerColorantValue": "black",
            "prtMarkerSuppliesDescription": "Black Cartridge", "prtMarkerSuppliesMaxCapacity": 100,
            "prtMarkerSuppliesLevel": 63,
        },
        "printSupplies.Waste": {
            "hrDeviceIndex": 1, "prtMarkerSuppliesIndex": 2, "prtMarkerSuppliesDescription": "Waste",
            "prtMarkerSuppliesLevel": "some",
        },
    },
    "aruba-cx": {
        "arubaWiredTemperatures.1/1-Inlet-Air": {
            "arubaWiredTempSensorName": "1/1-Inlet-Air", "arubaWiredTempSensorState": "normal",
            "arubaWiredTempSensorTemperature": "23.88 °C",
        },
        "arubaWiredFans.1/1/1": {"arubaWiredFanName": "1/1/1", "arubaWiredFanRPM": "8640 rpm"},
        "arubaWiredPowerSupplies.1/1": {"arubaWiredPSUName": "1/1", "arubaWiredPSUInstantaneousPower": "104 W"},
    },
    "apc-ups": {
        "upsBasicBatteryStatus": "batteryNormal", "upsAdvBatteryRunTimeRemaining": "2:00:00.00",
        "upsHighPrecBatteryTemperature": "25.3 °C", "upsHighPrecInputLineVoltage": "230.4 V",
        "upsBasicOutputStatus": "onLine", "upsHighPrecOutputLoad": "31.8 %",
    },
    "bgp4": {
        "bgpLocalAs": 65001,
        "bgpPeers.192.0.2.7": {
            "bgpPeerRemoteAddr": "192.0.2.7", "bgpPeerIdentifier": "198.51.100.9", "bgpPeerState": "established",
            "bgpPeerRemoteAs": 65002, "bgpPeerLastError": "6.4", "bgpPeerFsmEstablishedTime": "86400 s",
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", DEVICES)
def test_what_people_see_of_such_a_device(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert (outcome.status, outcome.error) == (Status.OK, "")
    assert people_see(PLANS[name], outcome) == EXPECTED[name]
