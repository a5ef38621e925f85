SELECT version, body, enabled, effective_at, created_at, actor_type, actor_id
FROM task_definition_versions WHERE definition_id = %(definition_id)s AND tenant_id = %(tenant_id)s
ORDER BY version
