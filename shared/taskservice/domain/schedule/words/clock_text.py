"""Times of the day as both languages write them."""


def clock_text(time: int) -> str:
    """`02:00`, or `02:00:30` when the seconds say something; `time` in seconds since midnight."""
    minutes, second = divmod(time, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{second:02}" if second else text


def hour_span(first: int, last: int) -> str:
    """`09:00–17:59`: the hours from `first` to `last`, both whole."""
    return f"{first:02}:00–{last:02}:59"
