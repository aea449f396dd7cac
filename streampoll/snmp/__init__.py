"""SNMP: the wire engine, and pysnmp behind the same port."""
