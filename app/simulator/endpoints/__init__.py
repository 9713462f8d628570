"""The endpoints, by the vendor's modules: each is a function of the world and a call, without a socket."""
