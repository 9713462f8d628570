"""Delivery: topics, lanes, tables and recovery; with web the only part that knows Faust."""
