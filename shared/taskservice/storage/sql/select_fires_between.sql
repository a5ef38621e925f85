-- Runs of instants: of a schedule or of a backfill. The ids of a range of fire times are a range of the index.
SELECT fire_time, origin, status, definition_version, command_id
FROM task_instances
WHERE tenant_id = %(tenant_id)s AND task_definition_id = %(definition_id)s AND id >= %(lowest)s AND id < %(beyond)s
  AND origin IN ('SCHEDULE', 'BACKFILL')
ORDER BY id LIMIT %(most)s
