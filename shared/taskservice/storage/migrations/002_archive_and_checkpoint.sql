-- The archive of the log, how far the tables above have come, and who may write the log.

CREATE TABLE IF NOT EXISTS event_segments (
  `partition` SMALLINT UNSIGNED NOT NULL COMMENT 'unit of order and leadership',
  first_position BIGINT UNSIGNED NOT NULL COMMENT 'of the first event in the payload',
  last_position BIGINT UNSIGNED NOT NULL COMMENT 'of the last one; there are no gaps within or between segments',
  first_id VARCHAR(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT '<epoch>-<position>',
  last_id VARCHAR(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT '<epoch>-<position>',
  first_ts DATETIME(3) NOT NULL COMMENT 'when the first was decided, UTC',
  last_ts DATETIME(3) NOT NULL COMMENT 'when the last was decided, UTC',
  codec VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the payload',
  sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of this row''s other columns and the payload',
  previous_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the segment before; 64 zeros for the first',
  payload LONGBLOB NOT NULL COMMENT 'id, event, cursor of each entry',
  PRIMARY KEY (`partition`, first_position)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='the archive of the event log, hash-chained';

CREATE TABLE IF NOT EXISTS log_segments (
  `partition` SMALLINT UNSIGNED NOT NULL COMMENT 'unit of order and leadership',
  number BIGINT UNSIGNED NOT NULL COMMENT 'from 1, without gaps',
  entries INT UNSIGNED NOT NULL COMMENT 'stream entries in the payload',
  first_id VARCHAR(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'id of the first stream entry',
  last_id VARCHAR(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'id of the last stream entry',
  codec VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the payload',
  sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of this row''s other columns and the payload',
  previous_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the segment before; 64 zeros for the first',
  payload LONGBLOB NOT NULL COMMENT 'id and batch of each entry',
  PRIMARY KEY (`partition`, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='the archive of the log lines, hash-chained';

CREATE TABLE IF NOT EXISTS projection_checkpoints (
  `partition` SMALLINT UNSIGNED NOT NULL COMMENT 'unit of order and leadership',
  epoch BIGINT UNSIGNED NOT NULL COMMENT 'of the last event in the tables',
  position BIGINT UNSIGNED NOT NULL COMMENT 'of the last event in the tables',
  event_id VARCHAR(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT '<epoch>-<position>',
  inbox_cursor VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'inbox cursor of the last append in the tables',
  ts DATETIME(3) NOT NULL COMMENT 'when the last event was decided, UTC',
  epoch_started_at DATETIME(3) NOT NULL COMMENT 'when the last EpochStarted was decided, UTC',
  epoch_position BIGINT UNSIGNED NOT NULL COMMENT 'position of the last EpochStarted',
  recovering TINYINT(1) NOT NULL COMMENT 'a loss is being recovered from',
  recovered_epoch BIGINT UNSIGNED NOT NULL COMMENT 'epoch of the last RecoveryEnded',
  horizon BIGINT UNSIGNED NOT NULL COMMENT 'greatest position of an end that the leader no longer holds',
  settings MEDIUMTEXT NOT NULL COMMENT 'JSON: the deployment''s settings that decisions depend on',
  stopped_at DATETIME(3) NULL COMMENT 'the scheduler is stopped since, UTC; null = it runs',
  stopped_until DATETIME(3) NOT NULL COMMENT 'undecided instants up to here fell into a stop, UTC',
  tenant_limits MEDIUMTEXT NOT NULL COMMENT 'JSON: tenant to its limit of waiting instances',
  segment_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the last event segment',
  log_stream_id VARCHAR(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'last entry of the log lines in the tables',
  log_segment_number BIGINT UNSIGNED NOT NULL COMMENT 'of the last log segment',
  log_segment_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the last log segment',
  PRIMARY KEY (`partition`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='up to where the tables equal the log';

CREATE TABLE IF NOT EXISTS scheduler_leases (
  `partition` SMALLINT UNSIGNED NOT NULL COMMENT 'unit of order and leadership',
  epoch BIGINT UNSIGNED NOT NULL COMMENT 'last epoch given out, never reused',
  owner VARCHAR(255) NOT NULL COMMENT 'who got it',
  witnessed BIGINT UNSIGNED NOT NULL COMMENT 'highest position that a candidate ever saw',
  recovering BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'epoch of the last recovery from a loss; 0 = never',
  taken_at DATETIME(3) NOT NULL COMMENT 'by the clock of this server, UTC',
  PRIMARY KEY (`partition`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='terms of leadership';
