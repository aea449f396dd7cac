"""Other systems at the same work. What runs in environments of their own is in `apps/`."""
