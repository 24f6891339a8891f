"""Arrays in, frozen numbers out: numpy and scipy only, no labels and no display text."""
