SELECT `partition`, number, entries, first_id, last_id, codec, sha256, previous_sha256, payload
FROM log_segments WHERE `partition` = %(partition)s AND number > %(after)s ORDER BY number LIMIT %(most)s
