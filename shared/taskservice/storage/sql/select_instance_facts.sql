-- What the events of an instance don't repeat. In the order of queries.events.
SELECT id, task_definition_id, definition_version, command_id, traceparent, retried_at
FROM task_instances WHERE tenant_id = %(tenant_id)s AND id IN %(ids)s
