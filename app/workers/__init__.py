"""Work off the window's thread: short tasks on a thread pool, long jobs in processes of their own."""
