UPDATE api_keys SET revoked_at = UTC_TIMESTAMP(3) WHERE id = %(id)s AND revoked_at IS NULL
