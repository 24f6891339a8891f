"""Synthetic twins of published trials: individual data that carry the printed figures.

Vocabulary: a *figure* is one printed number of `published.csv`. A figure is *calibrated* when
the generator read it to make the data; it then agrees by construction and is no evidence. Scores
are whole numbers of the instrument's grid step until they are written.
"""
