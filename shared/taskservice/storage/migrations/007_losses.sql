-- What Redis lost, written down before anything is repaired: a candidate that dies before the log tells of it leaves it
-- to its successor.

CREATE TABLE IF NOT EXISTS scheduler_losses (
  `partition` SMALLINT UNSIGNED NOT NULL COMMENT 'unit of order and leadership',
  epoch BIGINT UNSIGNED NOT NULL COMMENT 'of the recovery that it belongs to, as in scheduler_leases.recovering',
  number INT UNSIGNED NOT NULL COMMENT 'within the recovery, from 1',
  from_position BIGINT UNSIGNED NOT NULL COMMENT 'first position that is gone; 0 = none can be named',
  to_position BIGINT UNSIGNED NOT NULL COMMENT 'last position that is gone; 0 = none can be named',
  what VARCHAR(1000) NOT NULL COMMENT 'what is gone, for people',
  found_at DATETIME(3) NOT NULL COMMENT 'by the clock of this server, UTC',
  PRIMARY KEY (`partition`, epoch, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what Redis lost';
