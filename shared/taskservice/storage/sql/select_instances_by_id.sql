-- In the order of instance_rows.COLUMNS.
SELECT id, tenant_id, task_definition_id, definition_version, origin, fire_time, created_at, updated_at, position,
  execution_params, status, ready_at, not_before, attempt, next_attempt, entry_epoch, entry_position, dispatched_at,
  execution_node, start_time, end_time, failures, worker_losses, cancel_requested_at, timeout_kind, revoking,
  revoke_asked_at, failure_reason, error_type, error_message, actor_type, actor_id, command_id, traceparent,
  previous_attempts, retried_at, backfill_limit
FROM task_instances WHERE id IN %(ids)s
