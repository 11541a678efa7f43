"""From solutions: worked solutions become plans, by rule."""
