"""When a definition is due: one small question, `next_after(instant)`, and what answers it.

`calendar.Schedule` is the interface. `cron` evaluates cron expressions, `fixed_rate` is a grid, `once` a single instant,
`window` limits any of them, and `of_spec` chooses among them.

Of a cron expression, `cron_parse` reads the whole, `cron_field` one field within its `cron_shape`, `cron_hash` the `H`,
`unix_numbers` has croniter work out a UNIX one, and `day_rule` knows the days that need a calendar. `readings` finds what
the wall clock shows when it is due, `daylight` what changes of clocks make of that, `local_time` and `zones` know the
zones. `words` says a schedule in English and Chinese, `concerns` what may surprise in it.

All of it is pure: an instant goes in, the next one comes out. Instants are milliseconds since the Unix epoch.
"""
