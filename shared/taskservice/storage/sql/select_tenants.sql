SELECT id, name, queues, time_zone FROM tenants ORDER BY id
