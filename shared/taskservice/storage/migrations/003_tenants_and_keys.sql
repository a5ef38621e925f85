-- Who may ask: written by the command line, cached by the api.

CREATE TABLE IF NOT EXISTS tenants (
  id VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'name in urls, keys and rows',
  name VARCHAR(100) NOT NULL COMMENT 'for people',
  queues MEDIUMTEXT NULL COMMENT 'JSON array of the queues it may use; null = the deployment''s',
  time_zone VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'IANA zone of definitions that name none; null = the deployment''s',
  created_at DATETIME(3) NOT NULL COMMENT 'by the clock of this server, UTC',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='tenants';

CREATE TABLE IF NOT EXISTS api_keys (
  id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUIDv7; what events call the actor',
  key_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the key, which is stored nowhere',
  tenant_id VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'tenants.id',
  role ENUM('VIEWER','OPERATOR','ADMIN') NOT NULL COMMENT 'of the tenant',
  platform TINYINT(1) NOT NULL DEFAULT 0 COMMENT 'may stop and start the scheduler',
  name VARCHAR(100) NOT NULL DEFAULT '' COMMENT 'for people',
  created_at DATETIME(3) NOT NULL COMMENT 'by the clock of this server, UTC',
  revoked_at DATETIME(3) NULL COMMENT 'null = valid',
  PRIMARY KEY (id),
  UNIQUE KEY uq_api_keys_sha256 (key_sha256),
  KEY ix_api_keys_tenant (tenant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='API keys, hashed';
