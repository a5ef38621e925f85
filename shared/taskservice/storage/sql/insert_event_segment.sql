INSERT INTO event_segments (`partition`, first_position, last_position, first_id, last_id, first_ts, last_ts, codec,
  sha256, previous_sha256, payload)
VALUES (%(partition)s, %(first_position)s, %(last_position)s, %(first_id)s, %(last_id)s, %(first_ts)s, %(last_ts)s,
  %(codec)s, %(sha256)s, %(previous_sha256)s, %(payload)s)
