"""The SDK that users import, and the process that runs their handlers.

A worker takes due runs from dispatch streams by consumer group, calls each handler at most once for an entry, and
reports to the inbox what happened. It decides nothing about an instance: the leader does, in inbox order.
"""
