INSERT INTO log_segments (`partition`, number, entries, first_id, last_id, codec, sha256, previous_sha256, payload)
VALUES (%(partition)s, %(number)s, %(entries)s, %(first_id)s, %(last_id)s, %(codec)s, %(sha256)s, %(previous_sha256)s,
  %(payload)s)
