-- Backwards from the end, for what ended lately.
SELECT `partition`, first_position, last_position, first_id, last_id, first_ts, last_ts, codec, sha256, previous_sha256,
  payload
FROM event_segments
WHERE `partition` = %(partition)s AND first_position < %(before)s AND last_ts > %(since)s
ORDER BY first_position DESC LIMIT %(most)s
