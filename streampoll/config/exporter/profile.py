"""The modules of an snmp.yml as the texts of profiles, each with what could not be taken over."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from streampoll.config.exporter.layout import draft_profile, profile_names
from streampoll.config.exporter.words import Exporter, Module
from streampoll.config.exporter.write import profile_text
from streampoll.config.report import Report
from streampoll.config.source import dotted
from streampoll.errors import Fault


@dataclass(frozen=True, slots=True)
class Made:
    """A profile made of a module."""

    module: str
    name: str
    text: str
    metrics: int  # scalars and columns that it collects


def make_profiles(exporter: Exporter, chosen: Collection[str], shown: str, report: Report) -> list[Made]:
    """Return the profiles of the modules chosen (all if none); what they can't say is a notice of the report.

    A module that collects nothing is none, with a notice.
    """
    made = []
    modules = [module for module in exporter.modules if not chosen or module.name in chosen]
    names = profile_names(modules)
    for module in modules:
        profile = draft_profile(module, names[module.name])
        count = len(profile.scalars) + sum(len(table.columns) for table in profile.tables)
        if not count:
            module.place.notice(f"module '{module.name}' collects nothing", "no profile is made of it")
            continue
        notes = [str(each) for each in report.notices if concerns(each, module)]
        made.append(
            Made(module.name, profile.name, profile_text(profile, f"module '{module.name}' of {shown}", notes), count)
        )
    return made


def concerns(notice: Fault, module: Module) -> bool:
    """Tell whether a notice is about a module."""
    return bool(re.search(rf": {re.escape(dotted(module.place.path))}(\W|$)", notice.where))
