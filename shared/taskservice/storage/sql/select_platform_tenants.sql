SELECT DISTINCT tenant_id FROM api_keys WHERE platform = 1
