"""The wiring: the only place that builds concrete objects and hands them to services.

Nothing here is built before the fork: a role carries plain settings, and its child builds loop, clients and sockets.
"""
