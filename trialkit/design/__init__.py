"""Who got what, and when: designs, their checks, populations and randomisation lists."""
