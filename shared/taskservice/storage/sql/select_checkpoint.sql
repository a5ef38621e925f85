-- In the order of rows.CheckpointRow.
SELECT `partition`, epoch, position, event_id, inbox_cursor, ts, epoch_started_at, epoch_position, recovering,
  recovered_epoch, horizon, settings, stopped_at, stopped_until, tenant_limits, segment_sha256, log_stream_id,
  log_segment_number, log_segment_sha256
FROM projection_checkpoints WHERE `partition` = %(partition)s
