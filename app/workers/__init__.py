"""Work off the window's thread: short tasks on a thread pool, heavy jobs in a process of their own."""
