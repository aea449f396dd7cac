"""The outputs of a worker process, put together."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streampoll.app.redis_side import RedisSide
from streampoll.config.credentials import Credentials
from streampoll.config.settings import OutputSettings, Settings, enabled_outputs
from streampoll.errors import StreampollError
from streampoll.outputs.port import OutputRefused, Plans
from streampoll.outputs.pump import Pump, PumpPorts
from streampoll.outputs.sinks import make_sink
from streampoll.shards.presence import new_worker_id
from streampoll.tally import Counted, together
from streampoll.worker.process import Background


@dataclass(frozen=True, slots=True)
class Outputs:
    """What feeds the outputs in one process."""

    pumps: Sequence[Pump]

    def background(self) -> list[Background]:
        """Return what runs beside the consumers."""
        return [pump.run for pump in self.pumps]

    def counted(self) -> Counted:
        """Return what was sent and dropped."""
        return together(pump.counts.lay_out(pump.name) for pump in self.pumps)

    def published(self) -> dict[str, Any]:
        """Return what `stats` shows of them."""
        return {"outputs": {pump.name: pump.counts.published() for pump in self.pumps}} if self.pumps else {}


def make_outputs(
    settings: Settings, side: RedisSide, homes: Callable[[], Sequence[int]], plans: Plans, credentials: Credentials
) -> Outputs:
    """Make what feeds every output from the shards that `homes` names."""
    outputs = enabled_outputs(settings)
    ports = PumpPorts(side.outputs, homes, side.clock.now, tuple(outputs), new_worker_id())
    return Outputs([
        Pump(name, output, make_sink(output, plans, credentials.fetch), ports) for name, output in outputs.items()
    ])  # fmt: skip


async def ask_all(outputs: Mapping[str, OutputSettings], credentials: Credentials) -> dict[str, str]:
    """Ask every output whether it is there; return what is wrong by name, "" where nothing is."""
    said = await asyncio.gather(*(_ask(output, credentials) for output in outputs.values()))
    return dict(zip(outputs, said, strict=True))


async def _ask(output: OutputSettings, credentials: Credentials) -> str:
    sink = make_sink(output, {}, credentials.fetch)
    try:
        async with asyncio.timeout(output.timeout_s):
            await sink.send([])
    except OutputRefused:
        return ""  # it answered: nothing is what it does not want
    except TimeoutError:
        return f"no answer within {output.timeout_s:g} s"
    except StreampollError as error:
        return str(error)
    finally:
        await sink.close()
    return ""
