"""ServiceTitan: the client that calls it.

From the outside in: `upstream` puts a worker's client together; `desk` performs asks and waits out what is
no booking's fault; `jobs`, `people` and `catalogue` turn an ask into calls of `endpoints`; `caller` makes
one call, of which `answers` says what it came to; `http` puts it on the wire, once. `gate` (with the pure
`breaker`) and `pace` (with the pure `spacing`) say when one may call; `token` and `single_flight` share what
all calls need; `wire` is what is read of the answers.
"""
