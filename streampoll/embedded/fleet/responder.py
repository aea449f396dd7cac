"""From a datagram to the plan of its reply, and from the plan to the reply. Pure but for the counts."""

import random
from typing import NamedTuple

from streampoll.embedded.fleet.answer import Limits, answer
from streampoll.embedded.fleet.ber import MalformedError
from streampoll.embedded.fleet.device import Device, Population
from streampoll.embedded.fleet.figures import Figures
from streampoll.embedded.fleet.personality import Personality
from streampoll.embedded.fleet.reply import Plan, make_plan, render
from streampoll.embedded.fleet.request import parse, split
from streampoll.embedded.fleet.settings import FleetSettings
from streampoll.embedded.fleet.usm import Clock, Usm, is_v3
from streampoll.embedded.fleet.values import Quantity

LOOPBACK_NET = 127
MAX_PLANS = 20_000  # of all personalities together; then they are made anew


class Pending(NamedTuple):
    """A reply that is decided on, but not yet made: its values are those of the moment it leaves."""

    device: Device
    plan: Plan | None  # None: a v3 request, which is looked at when it is answered, since it depends on the time
    request_id: bytes  # of a v3 request, the whole


class Responder:
    """Decides about requests to all devices of a fleet."""

    def __init__(self, settings: FleetSettings, population: Population, figures: Figures) -> None:
        self._community = settings.community.encode()
        self._limits = Limits(settings.max_reply_bytes, settings.too_big_bytes)
        self._loss = settings.loss
        self._random = random.Random(settings.seed)
        self._usm = Usm(settings.v3_passphrase, self._community) if settings.v3_passphrase else None
        self._population = population
        self._figures = figures
        self._plans: dict[tuple[int, bytes], Plan] = {}

    def accept(self, data: bytes, address: bytes) -> Pending | None:
        """Decide about a request to an address of four bytes; None: it gets no reply."""
        figures = self._figures
        figures.requests += 1
        if address[0] != LOOPBACK_NET:
            figures.malformed += 1
            return None
        device = self._population.at(address)
        if device.silent:
            figures.silent += 1
            return None
        if self._loss and self._random.random() < self._loss:
            figures.lost += 1
            return None
        if self._usm is not None and is_v3(data):
            return Pending(device, None, data)
        return self._look_up(device, data)

    def reply(self, pending: Pending, now_cs: int) -> bytes | None:
        """Make a reply as of a time in hundredths of a second since the epoch; None: there is none."""
        if pending.plan is None:
            return self._reply_v3(pending.device, pending.request_id, now_cs)
        return render(pending.plan, pending.request_id, self._population.moment(pending.device, now_cs))

    def _reply_v3(self, device: Device, data: bytes, now_cs: int) -> bytes | None:
        """Answer a v3 request as the v2c request that is in it."""
        assert self._usm is not None
        moment = self._population.moment(device, now_cs)
        clock = Clock(moment[Quantity.ADDRESS], moment[Quantity.BOOTS], moment[Quantity.SECONDS])

        def respond(request: bytes) -> bytes | None:
            pending = self._look_up(device, request)
            return None if pending is None else self.reply(pending, now_cs)

        try:
            return self._usm.reply(data, clock, respond)
        except MalformedError:
            self._figures.malformed += 1
            return None

    def _look_up(self, device: Device, data: bytes) -> Pending | None:
        try:
            rest, request_id, place = split(data)
        except IndexError:
            self._figures.malformed += 1
            return None
        plan = self._plans.get((id(device.personality), rest))
        if plan is None:
            plan = self._plan(device.personality, rest, data, place)
        return None if plan is None else Pending(device, plan, request_id)

    def _plan(self, personality: Personality, rest: bytes, data: bytes, place: int) -> Plan | None:
        """Parse a request seen for the first time, and keep its plan."""
        try:
            request = parse(data)
        except MalformedError:
            self._figures.malformed += 1
            return None
        if request.request_id_at != place:  # `split` cut elsewhere: its key does not stand for this request
            self._figures.malformed += 1
            return None
        if request.community != self._community:
            self._figures.refused += 1
            return None
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        plan = self._plans[id(personality), rest] = make_plan(request, answer(request, personality, self._limits))
        return plan
