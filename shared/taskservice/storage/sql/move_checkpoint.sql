UPDATE projection_checkpoints SET epoch = %(epoch)s, position = %(position)s, event_id = %(event_id)s,
  inbox_cursor = %(cursor)s, ts = %(ts)s, epoch_started_at = %(epoch_started_at)s, epoch_position = %(epoch_position)s,
  recovering = %(recovering)s, recovered_epoch = %(recovered_epoch)s, horizon = %(horizon)s, settings = %(settings)s,
  stopped_at = %(stopped_at)s, stopped_until = %(stopped_until)s, tenant_limits = %(tenant_limits)s,
  segment_sha256 = %(segment_sha256)s, log_stream_id = %(log_stream_id)s, log_segment_number = %(log_segment_number)s,
  log_segment_sha256 = %(log_segment_sha256)s
WHERE `partition` = %(partition)s AND position = %(from_position)s AND log_segment_number = %(from_log_segment)s
