UPDATE tenants SET name = %(name)s, queues = %(queues)s, time_zone = %(time_zone)s WHERE id = %(id)s
