"""Coordinator: what is due, who leads, and the dispatch of it."""
