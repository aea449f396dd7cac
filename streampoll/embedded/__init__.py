"""Embedded servers and the simulated fleet, for one machine."""
