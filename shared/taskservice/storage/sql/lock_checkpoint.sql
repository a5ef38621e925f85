SELECT event_id, segment_sha256, log_stream_id, log_segment_number, log_segment_sha256
FROM projection_checkpoints WHERE `partition` = %(partition)s FOR UPDATE
