"""Formulas of printed figures: what follows from an interval, a p-value, an SD or a count."""
