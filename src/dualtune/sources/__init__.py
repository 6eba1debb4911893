"""Where Problems and benchmark rows come from."""
