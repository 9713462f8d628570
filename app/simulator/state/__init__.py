"""What the simulated tenant holds, and the rules by which it changes: pure, clock and randomness injected."""
