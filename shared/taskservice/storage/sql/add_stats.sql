-- Increments are safe: they stand in the same transaction as the checkpoint.
INSERT INTO task_stats_hourly (tenant_id, definition_id, hour, scheduled, succeeded, failed, cancelled, skipped, lost,
  retries, duration_ms_sum)
VALUES :rows
ON DUPLICATE KEY UPDATE scheduled = scheduled + VALUES(scheduled), succeeded = succeeded + VALUES(succeeded),
  failed = failed + VALUES(failed), cancelled = cancelled + VALUES(cancelled), skipped = skipped + VALUES(skipped),
  lost = lost + VALUES(lost), retries = retries + VALUES(retries),
  duration_ms_sum = duration_ms_sum + VALUES(duration_ms_sum)
