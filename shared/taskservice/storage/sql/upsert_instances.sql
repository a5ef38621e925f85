-- What an id stands for (tenant, definition, origin, fire time) never changes and is not written again.
INSERT INTO task_instances (id, tenant_id, task_definition_id, execution_params, status, execution_node, start_time,
  end_time, execution_duration, retry_count, error_message, created_at, updated_at, definition_version, origin,
  fire_time, attempt, next_attempt, ready_at, not_before, entry_epoch, entry_position, dispatched_at, failures,
  worker_losses, cancel_requested_at, timeout_kind, revoking, revoke_asked_at, failure_reason, error_type, result,
  actor_type, actor_id, command_id, traceparent, previous_attempts, retried_at, backfill_limit, position)
VALUES :rows
ON DUPLICATE KEY UPDATE execution_params = VALUES(execution_params), status = VALUES(status),
  execution_node = VALUES(execution_node), start_time = VALUES(start_time), end_time = VALUES(end_time),
  execution_duration = VALUES(execution_duration), retry_count = VALUES(retry_count),
  error_message = VALUES(error_message), created_at = VALUES(created_at), updated_at = VALUES(updated_at),
  definition_version = VALUES(definition_version), attempt = VALUES(attempt), next_attempt = VALUES(next_attempt),
  ready_at = VALUES(ready_at), not_before = VALUES(not_before), entry_epoch = VALUES(entry_epoch),
  entry_position = VALUES(entry_position), dispatched_at = VALUES(dispatched_at), failures = VALUES(failures),
  worker_losses = VALUES(worker_losses), cancel_requested_at = VALUES(cancel_requested_at),
  timeout_kind = VALUES(timeout_kind), revoking = VALUES(revoking), revoke_asked_at = VALUES(revoke_asked_at),
  failure_reason = VALUES(failure_reason), error_type = VALUES(error_type), result = VALUES(result),
  actor_type = VALUES(actor_type), actor_id = VALUES(actor_id), command_id = VALUES(command_id),
  traceparent = VALUES(traceparent), previous_attempts = VALUES(previous_attempts),
  retried_at = VALUES(retried_at), backfill_limit = VALUES(backfill_limit), position = VALUES(position)
