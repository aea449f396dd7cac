"""Outputs besides PostgreSQL: each at its own pace, none in the way of polling."""
