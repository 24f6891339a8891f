"""The analysis plan as a file: its schema, its compiler and its runner."""
