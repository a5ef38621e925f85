-- The row that transactions lock must exist before the first event does.
INSERT INTO projection_checkpoints (`partition`, epoch, position, event_id, inbox_cursor, ts, epoch_started_at,
  epoch_position, recovering, recovered_epoch, horizon, settings, stopped_at, stopped_until, tenant_limits,
  segment_sha256, log_stream_id, log_segment_number, log_segment_sha256)
VALUES (%(partition)s, 0, 0, '0-0', '0-0', '1970-01-01 00:00:00.000', '1970-01-01 00:00:00.000', 0, 0, 0, 0,
  %(settings)s, NULL, '1970-01-01 00:00:00.000', '{}', REPEAT('0', 64), '0-0', 0, REPEAT('0', 64))
ON DUPLICATE KEY UPDATE `partition` = VALUES(`partition`)
