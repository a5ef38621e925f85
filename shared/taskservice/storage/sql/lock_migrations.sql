-- One migrator a database; the lock ends with its session.
SELECT GET_LOCK(CONCAT('taskservice_migrate:', LEFT(DATABASE(), 40)), %(seconds)s)
