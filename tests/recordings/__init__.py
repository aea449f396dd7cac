"""The built-in profiles against recordings of real devices (the package snmpsim-data).

Each recording is served by an agent, polled with every profile that is for it, and compared value by value with what
net-snmp's own tools read from the same agent. `bin/recordings` does all of them; the suite a few.
"""
