"""Numbers, steps, spans and answers of a text: pure functions on strings."""
