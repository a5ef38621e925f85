"""Definitions: what a tenant asks to be run, and everything that may be wrong with such a request.

`spec` is the value that a version carries. `validate.parse_definition` turns a request's body into it, or into every
problem at once: `members` is the table of the contract's members, `checks` what one member may be, `rules` what
holds between members. `view` is the way back to the contract's names, `patch` RFC 7396 on them, `advice` what is worth telling about a definition that is valid.
"""
