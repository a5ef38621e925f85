"""GET /scheduler/status, /scheduler/running; POST /scheduler/stop | start | restart."""

import asyncio

from litestar import Response, get, post

from taskservice.api.answering import asking, no_parameters, not_yet, send
from taskservice.api.auth import Access
from taskservice.api.commands.views import CommandView
from taskservice.api.instances.routes import InstancePage, instance_page
from taskservice.api.parts import ApiRequest
from taskservice.api.reading import live_read_headers
from taskservice.api.scheduler.facts import gather_facts
from taskservice.api.scheduler.views import StatusView, status_view
from taskservice.api.wire.body import json_object, refuse_unknown
from taskservice.api.wire.problems import validation_failed
from taskservice.api.wire.query import Query
from taskservice.api.writes.gateway import Undecided
from taskservice.domain.commands import RestartScheduler, StartScheduler, StopScheduler
from taskservice.domain.schedule.zones import tzdata_version


@get("/scheduler/status", access=Access.VIEWER, operation_id="getSchedulerStatus", summary="The scheduler's status")
async def get_status(request: ApiRequest) -> Response[StatusView]:
    """Leader and lags for platform keys only."""
    headers = await live_read_headers(request, Query(request.query_params.multi_items()))
    return Response(await _status(request), headers=headers)


@get("/scheduler/running", access=Access.VIEWER, operation_id="listRunning", summary="Instances that run now")
async def list_running(request: ApiRequest) -> Response[InstancePage]:
    """The list of instances with status=RUNNING; its other filters hold."""
    return await instance_page(request, Query(request.query_params.multi_items()), ("RUNNING",))


@post(
    "/scheduler/stop",
    access=Access.PLATFORM,
    operation_id="stopScheduler",
    summary="Nothing new starts",
    status_code=200,
)
async def stop(request: ApiRequest) -> Response[StatusView] | Response[CommandView]:
    """Fires become misfires, triggers and retries wait, running attempts finish."""
    return await _switch(request, StopScheduler)


@post("/scheduler/start", access=Access.PLATFORM, operation_id="startScheduler", summary="Start again", status_code=200)
async def start(request: ApiRequest) -> Response[StatusView] | Response[CommandView]:
    """What fell into the stop is misfired, and settled by each definition's policy."""
    return await _switch(request, StartScheduler)


@post(
    "/scheduler/restart",
    access=Access.PLATFORM,
    operation_id="restartScheduler",
    summary="The leader resigns",
    status_code=200,
)
async def restart(request: ApiRequest) -> Response[StatusView] | Response[CommandView]:
    """Answered once the next epoch decides."""
    return await _switch(request, RestartScheduler)


async def _switch(
    request: ApiRequest, kind: type[StopScheduler | StartScheduler | RestartScheduler]
) -> Response[StatusView] | Response[CommandView]:
    no_parameters(request)
    faults = refuse_unknown(await json_object(request, empty=True), ())
    if faults:
        raise validation_failed(*faults)

    # Every partition has a leader of its own, and this concerns all of them.
    commands = [kind(**asking(request)) for _ in request.parts.streams]
    sent = await asyncio.gather(*(send(request, command, number) for number, command in enumerate(commands)))
    for command, outcome in zip(commands, sent, strict=True):
        if isinstance(outcome, Undecided):
            return not_yet(request, command, outcome.command_id)
    return Response(await _status(request))


async def _status(request: ApiRequest) -> StatusView:
    parts = request.parts
    return status_view(
        await gather_facts(parts),
        version=parts.version,
        now_ms=parts.clock.now_ms(),
        time_zone=parts.tenants.default_time_zone,
        tzdata=tzdata_version(),
        platform=request.identity.platform,
    )
