"""Reachability: ICMP echo, or a TCP connect where ICMP is not allowed."""
