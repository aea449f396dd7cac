"""Pollers: Target in, Outcome out, one module a protocol."""
