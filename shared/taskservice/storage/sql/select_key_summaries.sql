SELECT id, tenant_id, role, platform, name, created_at, revoked_at FROM api_keys ORDER BY id
