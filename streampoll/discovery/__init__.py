"""Finding devices: who answers in a network, over SNMP and as whom, and what to poll of it."""
