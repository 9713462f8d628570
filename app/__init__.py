"""Bookings to ServiceTitan jobs. The map of the tree; each layer imports only from those below it.

commands     the command line
worker       one worker, put together
local        the local Kafka and the demo         web          HTTP: API, webhooks, ops page
stream       delivery: Kafka, tables, lanes       simulator    a ServiceTitan to develop against
servicetitan client, token, pace                  view         the SQLite projection and its queries
telemetry    log, metrics, traces
settings     every setting
booking      what a booking is and how its lane decides: pure
batches      how fetched bytes become records, whatever they are
"""
