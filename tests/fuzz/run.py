"""Runs targets, seed by seed."""

import logging
import traceback
import warnings
from collections.abc import Callable, Iterable
from random import Random

from tests.fuzz import (
    api_targets,
    decode_targets,
    file_targets,
    row_targets,
    snmp_targets,
    snmp_v3_targets,
    stream_targets,
    typed_targets,
)

TARGETS: dict[str, Callable[[Random], None]] = {
    **decode_targets.TARGETS,
    **stream_targets.TARGETS,
    **row_targets.TARGETS,
    **snmp_targets.TARGETS,
    **snmp_v3_targets.TARGETS,
    **file_targets.TARGETS,
    **typed_targets.TARGETS,
    **api_targets.TARGETS,
}


def first_finding(name: str, seeds: Iterable[int]) -> str:
    """Run a target with each seed; return how the first one failed, and how to have it again; "": none did."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        for seed in seeds:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FutureWarning)  # of `re`, for a pattern that is strange
                    TARGETS[name](Random(f"{name} {seed}"))
            except Exception:
                return f"{traceback.format_exc()}\nagain: bin/fuzz --minutes 0 --seed {seed} {name}"
    finally:
        logging.disable(disabled)
    return ""
