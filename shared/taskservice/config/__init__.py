"""Settings: read once at the start, from flags, environment, files and defaults, into frozen typed records.

Nothing is read at import time. An unknown key under `app.task`, or a value outside its bounds, stops the start with
a message that names the key, its source and what is allowed.
"""
