"""What a booking is and how its lane decides: pure values and functions, without a clock, I/O or Faust."""
