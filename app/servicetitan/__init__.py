"""ServiceTitan: its wire models, and the client that calls it."""
