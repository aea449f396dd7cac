"""What people see of recorded devices: that a profile's names, units and look-ups say what is there.

That its values are the device's is shown by test_recordings.py.
"""

from collections.abc import Mapping

import pytest

from streampoll.snmp.plan import CollectPlan
from tests.builtin_devices_support import people_see, poll_each
from tests.builtin_support import read
from tests.recordings.catalogue import recordings
from tests.recordings.choice import asked_for
from tests.recordings.trim import write

PLANS = {name: plan for name, plan in read()[0].items() if isinstance(plan, CollectPlan)}
RECORDINGS = {each.name: each for each in recordings()}
DEVICES = {
    "apc-pdu": "UPS/apc-8641",
    "aruba": "network/wifi/aruba-7210",
    "cisco": "network/switch/cisco-c3750",
    "entity-sensor": "cloud/arista-dcs-7150s-52-cl",
    "fortinet": "network/firewall/fortinet-xcu",
    "h3c": "network/switch/h3c-comware-7-1-075",
    "huawei": "network/router/huawei-s5720",
    "juniper": "network/router/juniper-mx960-12-3r6-6",
    "linux": "os/linux/unknown-004",
    "lldp": "network/router/juniper-mx960-12-3r6-6",
    "netapp": "storage/netapp-fas3270",
    "paloalto": "network/firewall/paloalto-pa-5000",
    "ups": "UPS/eaton-93e-80",
}
FACTS: dict[str, dict[str, object]] = {  # "table.row" with some of its columns, or a scalar
    "apc-pdu": {
        "rPDUIdentModelNumber": "AP8641",
        "pduPhases.1": {
            "rPDU2PhaseStatusCurrent": "6.5 A", "rPDU2PhaseStatusVoltage": "201 V",
            "rPDU2PhaseStatusPower": "1.22 kW",
        },
        "pduOutletMeters.CP-CM-SAN-01": {"rPDU2OutletMeteredStatusPower": "163 W"},
    },
    "aruba": {
        "wlsxSysExtMemoryUsedPercent": "50 %",
        "arubaStorage./flash": {"sysExtStorageType": "flashMemory", "sysExtStorageUsed": "194 MB"},
    },
    "cisco": {
        "memoryPools.I/O": {"ciscoMemoryPoolUsed": "8906084 B", "ciscoMemoryPoolFree": "3676828 B"},
        "envmonFans.Switch#1, Fan#1": {"ciscoEnvMonFanState": "normal"},
        "ciscoSensors.Gi1/0/1 Supply Voltage Sensor": {"entSensorType": "voltsDC", "entSensorValue": 3.34},
        "ciscoSensors.Gi1/0/1 Transmit Power Sensor": {"entSensorType": "dBm", "entSensorValue": -6.0},
    },
    "entity-sensor": {
        "sensors.100006001": {
            "entPhysicalDescr": "Cpu temp sensor", "entPhySensorType": "celsius", "entPhySensorValue": 28.2,
        },
        "sensors.100006009": {"entPhysicalDescr": "CpucardPwrCon Rail3 5V", "entPhySensorValue": 4.93},
    },
    "fortinet": {
        "fgSysMemUsage": "19 %",
        "fgHaSystemMode": "activePassive",
        "fgSensors.VCC2.5V": {"fgHwSensorEntValue": 2.5169, "fgHwSensorEntAlarmStatus": "false"},
        "fgVdoms.root": {"fgVdEntHaState": "master", "fgVdEntSesCount": 683756},
    },
    "h3c": {
        "hh3cOptics.Ten-GigabitEthernet1/0/0/1": {
            "hh3cTransceiverCurTXPower": "-2.29 dBm", "hh3cTransceiverVoltage": "3.34 V",
            "hh3cTransceiverTemperature": "37 °C",
        },
    },
    "huawei": {
        "hwEntities.GigabitEthernet0/0/1": {"hwEntityAdminStatus": "unlocked", "hwEntityOperStatus": "enabled"},
        "hwFans.0.7": {"hwEntityFanSpeed": "30 %", "hwEntityFanState": "normal"},
    },
    "juniper": {
        "jnxRedAlarmState": "off",
        "operating.PEM 0": {"jnxOperatingState": "running", "jnxOperatingTemp": "35 °C"},
        "optics.xe-0/2/0": {"ifIndex": 585, "jnxDomCurrentTxLaserOutputPower": "-2.06 dBm"},
    },
    "linux": {
        "load.Load-5": {"laLoadInt": 33},
        "disks./": {"dskDevice": "/dev/sdd1", "dskPercent": "7 %"},
        "lmTemperatures.temp1": {"lmTempSensorsValue": "29.8 °C"},
    },
    "lldp": {
        "neighbours.611": {
            "lldpLocPortDesc": "Connect to SNNU-CA-CORE-1::xe-1/2/0", "lldpRemChassisId": "a8:d0:e5:f5:af:c0",
            "lldpRemSysName": "re0-SNNU-CA-CORE-1", "lldpRemSysCapEnabled": "bridge router",
        },
    },
    "netapp": {
        "miscGlobalStatus": "ok",
        "volumes.aggr1sas": {"dfPerCentKBytesCapacity": "62 %", "df64TotalKBytes": "16949235920 kB"},
    },
    "paloalto": {
        "panSessionActive": 81258,
        "processors.1": {"hrProcessorLoad": "16 %"},
        "sensors.Fan #1 RPM": {"entPhySensorType": "rpm", "entPhySensorValue": 4618},
    },
    "ups": {
        "upsBatteryVoltage": "521.0 V",
        "upsOutputSource": "normal",
        "upsOutputs.2": {"upsOutputVoltage": "220 V", "upsOutputCurrent": "18.0 A", "upsOutputPercentLoad": "16 %"},
    },
}  # fmt: skip

pytestmark = pytest.mark.skipif(not RECORDINGS, reason="snmpsim-data is not installed")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, object]]:
    """What people see of each device."""
    directory, served = tmp_path_factory.mktemp("recordings"), {}
    for name, recording in DEVICES.items():
        written = write(RECORDINGS[recording], asked_for([PLANS[name]]), directory).path
        served[written.rename(directory / f"{name}.snmprec")] = PLANS[name]
    polled = zip(DEVICES, poll_each(served), strict=True)
    return {name: people_see(PLANS[name], outcome) for name, outcome in polled}


@pytest.mark.parametrize("name", DEVICES)
def test_what_people_see_of_such_a_device(seen: Mapping[str, Mapping[str, object]], name: str) -> None:
    found = {fact: _same(seen[name].get(fact), expected) for fact, expected in FACTS[name].items()}
    assert found == FACTS[name]


def _same(found: object, expected: object) -> object:
    """Return of a row the columns that are expected; a scalar as it is."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {column: found.get(column) for column in expected}
    return found
