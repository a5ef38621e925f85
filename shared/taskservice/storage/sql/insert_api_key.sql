-- Inserts nothing when there is no such tenant.
INSERT INTO api_keys (id, key_sha256, tenant_id, role, platform, name, created_at)
SELECT %(id)s, %(key_sha256)s, tenants.id, %(role)s, %(platform)s, %(name)s, UTC_TIMESTAMP(3)
FROM tenants WHERE tenants.id = %(tenant_id)s
