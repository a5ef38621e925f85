"""Crontabs as definitions: reading their lines, and what each becomes."""
