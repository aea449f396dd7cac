"""Work of several steps, each run once it is its turn, its state in PostgreSQL."""
