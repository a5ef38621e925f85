-- The last segment that begins at or before a position, without its payload: a step of a search by time.
SELECT first_position, last_position, first_ts, last_ts
FROM event_segments WHERE `partition` = %(partition)s AND first_position <= %(position)s
ORDER BY first_position DESC LIMIT 1
