"""Definitions: all verbs, enable and disable, trigger, preview of the next fires."""
