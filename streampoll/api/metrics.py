"""`/metrics` and `/metrics/device` in the API, for whoever may read."""

from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Path_

from streampoll.api.application import caller_of
from streampoll.api.auth import Gate
from streampoll.api.problem import ProblemError, problem_of
from streampoll.observe.metrics_app import MetricsRoutes, Page
from streampoll.results.control import Role


def metrics_paths(metrics: MetricsRoutes, gate: Gate) -> Sequence[BaseRoute]:
    """Return the paths, each behind the gate."""
    return [Path_(path, _gated(page, gate)) for path, page in metrics.pages().items()]


def _gated(page: Page, gate: Gate) -> Callable[[Request], object]:
    async def answer(request: Request) -> Response:
        try:
            gate.admit(caller_of(request.scope), Role.READ)
        except ProblemError as error:
            return problem_of(error)
        return await page(request)

    return answer
