"""Names that the Tab key offers: those of the configuration; none where it can't be read."""

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from streampoll.config.load import (
    default_directory,
    load_inventory,
    load_jobs,
    load_profiles,
    load_settings,
    load_workflows,
)

Offer = Callable[[click.Context, click.Parameter, str], list[str]]


def _offer(read: Callable[[Path], Iterable[str]]) -> Offer:
    """Return what click asks for the names that begin as what was typed."""

    def offered(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
        logging.disable()  # nobody has set it up: a notice would be written into the prompt
        try:
            names = list(read(ctx.params.get("config") or default_directory(Path())))
        except Exception:  # noqa: BLE001 - a prompt is no place for a traceback; the command itself will say it
            return []
        finally:
            logging.disable(logging.NOTSET)
        chosen = ctx.params.get(param.name or "") or ()
        taken = (chosen,) if isinstance(chosen, str) else chosen
        return sorted(name for name in names if name.startswith(typed) and name not in taken)

    return offered


def _devices(config: Path) -> Iterable[str]:
    return [device.name for device in load_inventory(config, load_settings(config, os.environ))]


offer_devices = _offer(_devices)
offer_jobs = _offer(lambda config: [job.name for job in load_jobs(config)])
offer_profiles = _offer(lambda config: load_profiles(config, load_settings(config, os.environ)))
offer_workflows = _offer(lambda config: load_workflows(config, load_settings(config, os.environ)))
