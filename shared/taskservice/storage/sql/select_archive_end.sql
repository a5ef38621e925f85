SELECT last_id, last_position FROM event_segments
WHERE `partition` = %(partition)s ORDER BY first_position DESC LIMIT 1
