-- The segments that hold something after a position, in order. `last_position` has no index of its own: segments don't
-- overlap, so the one that holds the next position is the last that begins at or before it.
SELECT `partition`, first_position, last_position, first_id, last_id, first_ts, last_ts, codec, sha256, previous_sha256,
  payload
FROM event_segments
WHERE `partition` = %(partition)s AND last_position > %(after)s
  AND first_position >= COALESCE((SELECT MAX(s.first_position) FROM event_segments s
    WHERE s.`partition` = %(partition)s AND s.first_position <= %(after)s + 1), 0)
ORDER BY first_position LIMIT %(most)s
