SELECT definition_id, version, body FROM task_definition_versions WHERE definition_id IN %(ids)s
