-- Every column that a table has, whatever release made it.
SELECT column_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %(table)s ORDER BY ordinal_position
