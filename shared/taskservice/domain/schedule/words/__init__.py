"""A schedule in words, in English and in Chinese: what a person reads before saving it.

`outline` says what there is to say, whatever the language; `english` and `chinese` say it; `of_spec` does so for every
kind of schedule, with its time zone.
"""
