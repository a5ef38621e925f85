"""The pure core: what a definition, an instance and an event are, and every decision about them.

No clock, no random, no I/O: time, ids and measured facts are arguments. `events` are decided facts, `state` is what a
partition's log amounts to, `evolve` the fold, `decide` the leader's judgement, `agenda` what time will ask it next,
`schedule` when a definition is due, `definition` what a tenant may ask for; `commands`, `reports`, `dispatch`, `logs`
and `workers` are what travels on the streams.
"""
