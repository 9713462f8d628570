"""Bookings to ServiceTitan jobs."""
