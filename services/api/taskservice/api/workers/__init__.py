"""Workers: who serves, as their beats say."""
