-- The one id of this installation, in the `source` of every public event, and what lists of definitions are read from.

CREATE TABLE IF NOT EXISTS installation (
  number TINYINT UNSIGNED NOT NULL COMMENT 'always 1: there is one row',
  id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID, made once',
  created_at DATETIME(3) NOT NULL COMMENT 'by the clock of this server, UTC',
  PRIMARY KEY (number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='this installation';

INSERT INTO installation (number, id, created_at) VALUES (1, UUID(), UTC_TIMESTAMP(3))
ON DUPLICATE KEY UPDATE number = 1;
