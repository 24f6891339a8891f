"""Reading, writing and checking trial data; design matrices from formulas."""
