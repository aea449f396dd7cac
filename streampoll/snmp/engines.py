"""Making pysnmp's engine only where something needs it: its import costs tens of megabytes and a second."""

import warnings

from streampoll.config.settings import SnmpSettings
from streampoll.snmp.engine import Engine


def make_pysnmp_engine(settings: SnmpSettings) -> Engine:
    """Make the second engine, inside the running loop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pysnmp 7.1 imports old names of pysmi
        from streampoll.snmp.pysnmp_engine import PysnmpEngine
    return PysnmpEngine(settings)
