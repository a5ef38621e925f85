SELECT id, tenant_id, role, platform, key_sha256, name, created_at FROM api_keys WHERE revoked_at IS NULL ORDER BY id
