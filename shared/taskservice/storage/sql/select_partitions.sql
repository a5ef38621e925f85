-- Those that anything is there of.
SELECT `partition` FROM projection_checkpoints
UNION SELECT `partition` FROM event_segments
UNION SELECT `partition` FROM log_segments
ORDER BY 1
