-- The server's clock, in milliseconds since the Unix epoch (the session's zone is UTC).
SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)
