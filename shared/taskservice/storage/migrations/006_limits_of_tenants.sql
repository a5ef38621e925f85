-- What tenants may use at once, as `tenants list` shows it; decisions know it from the log.

CREATE TABLE IF NOT EXISTS tenant_limits (
  tenant_id VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'tenants.id',
  max_concurrency INT UNSIGNED NULL COMMENT 'attempts that may be dispatched at once; null = no limit',
  queue_limits MEDIUMTEXT NOT NULL COMMENT 'JSON object: queue to how many of its attempts may be dispatched at once',
  starts_per_second INT UNSIGNED NULL COMMENT 'attempts that may be dispatched a second; null = no limit',
  weight INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'share of what several tenants want at once',
  PRIMARY KEY (tenant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what tenants may use at once';
