"""Workflows as runs have kept them: read once, since every step of a run needs its own."""

import json
from functools import lru_cache

from streampoll.config.workflows import read_definition
from streampoll.workflows.plan import Workflow


@lru_cache(maxsize=64)
def definition_of(name: str, text: str) -> Workflow:
    """Return the workflow that a run was started with. Raises ConfigError: this release reads it differently."""
    return read_definition(name, json.loads(text))
