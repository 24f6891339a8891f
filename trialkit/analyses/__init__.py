"""One file per question a statistician asks."""
