INSERT INTO schema_migrations (number, name, sha256, applied_at)
VALUES (%(number)s, %(name)s, %(sha256)s, UTC_TIMESTAMP(3))
