-- In the order of queries.commands.
SELECT id, tenant_id, command_type, status, submitted_at, decided_at, position, actor_type, actor_id, resource, problem
FROM task_commands WHERE id IN %(ids)s
