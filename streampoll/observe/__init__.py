"""Observing: what stats and the live views show."""
