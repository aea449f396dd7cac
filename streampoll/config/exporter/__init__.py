"""snmp_exporter's snmp.yml read, and its modules made profiles; only `streampoll profile import` needs it."""
