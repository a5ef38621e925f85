-- ADD COLUMN IF NOT EXISTS is MariaDB's alone, and a file may be run again from its start.

SET @taskservice_ddl = IF(
  (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'task_instances'
    AND column_name = 'retried_at') = 0,
  'ALTER TABLE task_instances ADD COLUMN retried_at DATETIME(3) NULL COMMENT ''last retried by hand: start timeout and deadline count from here, UTC'' AFTER previous_attempts',
  'DO 0');

PREPARE taskservice_ddl FROM @taskservice_ddl;

EXECUTE taskservice_ddl;

DEALLOCATE PREPARE taskservice_ddl;
