"""The HTTP API: what `stats`, `results` and the other commands know, for programs and the dashboard, and actions."""
