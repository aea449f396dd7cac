"""Spans of polls and of what follows from them, for OpenTelemetry; imported only where somebody asks for them."""
