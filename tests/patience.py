"""How long a test waits for another thread or process. It only bounds a hang: no test measures time with it."""

PATIENCE = 120.0  # seconds; a loaded machine may take ten or more to start a Python process
