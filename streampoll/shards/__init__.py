"""Shards: key names, hashing, stream operations and leases. Nothing else knows a Redis key or command."""
