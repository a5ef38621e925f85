"""The HTTP surface: litestar controllers, one folder a resource, that append commands and read read models.

The api holds no other state. A write submits its command to the inbox and waits until its outcome is projected; a
read asks MySQL. Errors leave as problem details, and nothing is served without a key but the six open routes.
"""
