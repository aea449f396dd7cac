"""Every protocol that is polled. A library that only one of them needs is imported when its first target comes."""

import time
from collections.abc import Callable, Mapping
from functools import partial

from streampoll.config.profile_port import PollPlan
from streampoll.config.settings import Settings
from streampoll.custom.plan import CustomPlan
from streampoll.http.plan import HttpPlan
from streampoll.ping.plan import PingPlan
from streampoll.pollers.custom import CustomPoller, CustomPorts
from streampoll.pollers.http import HttpPoller
from streampoll.pollers.learned import DeviceMemory
from streampoll.pollers.ping import PingPoller
from streampoll.pollers.port import CredentialBook
from streampoll.pollers.reach import Reach
from streampoll.pollers.router import Around, Protocol, Router
from streampoll.pollers.snmp import SnmpPoller
from streampoll.pollers.ssh import SshPoller
from streampoll.snmp.plan import CollectPlan
from streampoll.ssh.plan import SshPlan


def make_router(
    settings: Settings,
    profiles: Mapping[str, PollPlan],
    credentials: CredentialBook,
    now: Callable[[], float] = time.time,
    eager: bool = False,
) -> Router:
    """Make what polls a target of any protocol, found by the type of its profile's plan.

    `now` is the wall clock, in seconds. `eager` is for a command that polls once: every credential is tried.
    """
    protocols: dict[type, Protocol] = {
        CollectPlan: Protocol("snmp", partial(SnmpPoller, settings.snmp), silence_refuses=True, locks_out=False),
        HttpPlan: Protocol("http", partial(HttpPoller, settings.http), optional=True),
        SshPlan: Protocol("ssh", partial(SshPoller, settings.ssh)),
        CustomPlan: Protocol("custom", lambda: CustomPoller(settings.custom, ports), optional=True, explains=False),
        PingPlan: Protocol("ping", partial(PingPoller, settings.ping), needs_credential=False, explains=False),
    }
    router = Router(protocols, profiles, Around(credentials, Reach(settings.ping), DeviceMemory(now), eager))
    ports = CustomPorts(credentials, profiles, router.collect)
    return router
