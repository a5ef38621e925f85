"""In Chinese."""

from taskservice.cli.cells import duration
from taskservice.cli.fire_words.story import Story
from taskservice.client import Instance
from taskservice.client.values import DisabledSpan, WaitingFor

_WAITS = {
    "DUE": "推迟到 {until}",
    "RETRY_DELAY": "下一次尝试在 {until}",
    "SLOT": "没有 worker 有空闲槽位",
    "NO_WORKER": "没有在线的 worker 服务它的队列和标签",
    "NO_HANDLER": "该队列在线的 worker 都没有它的处理器",
    "DEFINITION_LIMIT": "该定义（或其补跑）最多 {limit} 个运行，已占用 {current} 个",
    "QUEUE_LIMIT": "租户在该队列最多 {limit} 个运行，已占用 {current} 个",
    "TENANT_LIMIT": "租户最多 {limit} 个运行，已占用 {current} 个",
    "TENANT_RATE": "租户每秒最多启动 {limit} 个运行",
    "OVERLAP": "须等实例 {task_instance_id} 结束",
    "SCHEDULER_STOPPED": "调度器已停止",
}


class Chinese:
    """See `Words`."""

    def of_entry(self, story: Story) -> str:
        """What happened to the instant, or to several."""
        entry = story.entry
        when = entry.fire_time
        if entry.until is not None:
            when = f"{entry.fire_time} 至 {entry.until}（{entry.count} 个触发时刻）"
        match entry.outcome:
            case "RAN":
                return f"{when}：{_of_run(entry.task_instance_id, story.run)}"
            case "UPCOMING":
                return f"{when}：尚未到时，将按版本 {entry.definition_version} 触发"
            case _:
                return f"{when}：{_why_skipped(story)}"

    def of_span(self, span: DisabledSpan) -> str:
        """Why nothing was due in a span."""
        by = "" if span.actor is None else f"（操作者 {span.actor.type} {span.actor.id}）"
        until = "至今" if span.end is None else f"至 {span.end}"
        return f"{span.begin} {until}：没有应触发的时刻，定义已停用{by}"

    def of_no_instant(self, time: str) -> str:
        """That a time is no due instant."""
        return f"{time}：此刻没有应触发的时刻；下面是其后的第一个"


def _of_run(instance_id: str | None, run: Instance | None) -> str:
    named = f"实例 {instance_id}"
    if run is None:
        return f"已决定作为{named}运行，暂时无法读取"
    worker = "" if run.execution_node is None else f"，worker {run.execution_node}"
    tries = "" if run.attempt <= 1 else f"，第 {run.attempt} 次尝试"
    message = f"：{run.error_message}" if run.error_message else ""
    match run.status:
        case "SUCCESS":
            return f"已作为{named}运行{worker}，耗时 {duration(run.execution_duration)}{tries}"
        case "FAILED":
            reason = f"（{run.failure_reason}）" if run.failure_reason else ""
            return f"已作为{named}运行{worker}，失败{reason}{tries}{message}"
        case "CANCELLED":
            return f"原定作为{named}运行{worker}，于 {run.end_time} 取消{message}"
        case "RUNNING":
            return f"正在作为{named}运行{worker}，自 {run.start_time} 起{tries}"
        case _:
            return f"将作为{named}运行，正在等待：{_waits(run.waiting_for)}"


def _waits(waiting: WaitingFor | None) -> str:
    if waiting is None:
        return "原因暂时无法得知"
    return _WAITS.get(waiting.reason, waiting.reason).format(
        until=waiting.until,
        limit=waiting.limit,
        current="?" if waiting.current is None else waiting.current,
        task_instance_id=waiting.task_instance_id,
    )


def _why_skipped(story: Story) -> str:
    entry = story.entry
    match entry.reason:
        case "OVERLAP":
            return f"跳过：实例 {entry.blocked_by} 仍未结束{_active(story.blocker)}"
        case "MISFIRE":
            return f"错过：{_silence(story)}；按 misfirePolicy 和 misfireWindowMs 不再补触发"
        case "SCHEDULER_STOPPED":
            by = "" if entry.actor is None else f"（操作者 {entry.actor.type} {entry.actor.id}）"
            return f"跳过：调度器已被停止{by}"
        case "LIMIT":
            full = {"WAITING_FIRES": "该定义等待中的触发已达上限", "OPEN_INSTANCES": "该租户未结束的运行已达上限"}
            return f"跳过：{full.get(entry.limited_by or '', '已达上限')}"
        case _:
            return f"跳过：{entry.reason}"


def _active(blocker: Instance | None) -> str:
    if blocker is None:
        return ""
    if blocker.start_time is None:
        return "，它在等待，尚未开始"
    worker = "" if blocker.execution_node is None else f"在 worker {blocker.execution_node} "
    end = "起，仍在运行" if blocker.end_time is None else f"运行至 {blocker.end_time}"
    return f"，它{worker}自 {blocker.start_time} {end}"


def _silence(story: Story) -> str:
    entry = story.entry
    if entry.silence is not None:
        return f"从 {entry.silence.begin_at} 到 {entry.silence.end_at} 没有主调度器"
    return f"决定得晚，在 {entry.decided_at}"
