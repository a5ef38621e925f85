"""The whole service as a newcomer starts it, watched from outside: over HTTP and by SQL."""
