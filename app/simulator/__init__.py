"""A simulated ServiceTitan: its wire format over real sockets, with faults, technicians and webhooks.

`state` is pure: what the tenant holds, and what may happen to it. `endpoints` turn one call into one answer,
synchronously. `pipeline` is all that stands between socket and endpoint: throttle, token, faults, delays.
`server` starts and stops it, `life` plays dispatcher and technician, `webhooks` tells the outside.
Everything it says is marked as a simulation. It shares nothing with the client.
"""
