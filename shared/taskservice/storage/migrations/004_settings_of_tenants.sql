-- The checkpoint holds what decisions know of tenants: more than one limit.

ALTER TABLE projection_checkpoints MODIFY COLUMN
  tenant_limits MEDIUMTEXT NOT NULL COMMENT 'JSON: tenant to what it has of its own: name, queues, time zone, limits';
ALTER TABLE task_commands MODIFY COLUMN
  resource VARCHAR(255) NULL COMMENT 'definitions/<id>, instances/<id>, tenants/<id> or scheduler';
