"""One worker put together: streams, lanes, ServiceTitan, view and web."""
