"""A simulated fleet: one process that answers SNMP v1 and v2c on every address of 127.0.0.0/8."""

from streampoll.embedded.fleet.addresses import device_address, device_name
from streampoll.embedded.fleet.figures import Figures
from streampoll.embedded.fleet.server import Fleet
from streampoll.embedded.fleet.settings import FleetSettings

__all__ = ["Figures", "Fleet", "FleetSettings", "device_address", "device_name"]
