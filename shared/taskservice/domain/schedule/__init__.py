"""When a definition is due: one small question, `next_after(instant)`, and what answers it.

`calendar.Schedule` is the interface. `cron` evaluates cron expressions (`cron_parse` reads them, `cron_field` one
field, `day_rule` the days that need a calendar, `local_time` what daylight saving does, `zones` where the zones come
from), `fixed_rate` a grid, `once` a single instant, `window` limits any of them, and `of_spec` chooses among them.

All of it is pure: an instant goes in, the next one comes out. Instants are milliseconds since the Unix epoch.
"""
