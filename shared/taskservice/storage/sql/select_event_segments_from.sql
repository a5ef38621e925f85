-- Every segment, in the order of decode_event_segment.
SELECT `partition`, first_position, last_position, first_id, last_id, first_ts, last_ts, codec, sha256, previous_sha256,
  payload
FROM event_segments WHERE `partition` = %(partition)s AND first_position > %(after)s
ORDER BY first_position LIMIT %(most)s
