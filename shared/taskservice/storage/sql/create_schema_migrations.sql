-- What was applied, and that it has not changed since.
CREATE TABLE IF NOT EXISTS schema_migrations (
  number INT UNSIGNED NOT NULL COMMENT 'from 1, without gaps',
  name VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the file',
  sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the file',
  applied_at DATETIME(3) NOT NULL COMMENT 'by the clock of this server, UTC',
  PRIMARY KEY (number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='versions of these tables'
