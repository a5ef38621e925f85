"""Every invariant's check, shown to find what breaks it: a small good history, and the least that makes it a bad one."""
