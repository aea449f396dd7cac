"""The fault harness: a real deployment, a simulated fleet, faults on a seeded schedule, and an audit at the end.

Run by `bin/chaos`; docs/chaos.md says what it does and what it found.
"""
