"""Plain arrays in, matplotlib Axes out, in one quiet style."""
