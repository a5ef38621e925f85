"""The command line `taskservice`: a registry of sub-commands that are imported only when they are called.

So `taskservice worker` never imports the HTTP framework, and a broken service does not break `--help`.
"""
