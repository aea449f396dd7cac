"""MIB modules read, and names resolved to OIDs, when a profile is compiled; no worker imports any of it."""
