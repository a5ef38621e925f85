-- Whoever has an instance has a definition, deleted or not. A loose scan of the index by tenant.
SELECT DISTINCT tenant_id FROM task_definitions
