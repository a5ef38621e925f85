-- Of definitions whose row exists: what each decided instant changes. The two empty texts have no default to leave out.
INSERT INTO task_definitions (id, task_params, spec, decided_until, last_decided, last_fire_at, armed_at, delay_instance,
  last_instance_id, position)
VALUES :rows
ON DUPLICATE KEY UPDATE decided_until = VALUES(decided_until), last_decided = VALUES(last_decided),
  last_fire_at = VALUES(last_fire_at), armed_at = VALUES(armed_at), delay_instance = VALUES(delay_instance),
  last_instance_id = VALUES(last_instance_id), position = VALUES(position)
