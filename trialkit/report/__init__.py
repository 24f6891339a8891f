"""Tables and pages made of results, and of nothing behind them."""
