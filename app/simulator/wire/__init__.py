"""ServiceTitan's wire format: the requests and answers of API v2, as the simulator speaks them.

The facts come from the vendor's OpenAPI documents (two public copies) and from captured answers. A response
model requires only what makes the row usable; everything else has a default, because real answers leave out
or null what the specification calls required. Dumping a model still prints every field, nulls included.

Modules: `base` (the model class), `dates`, `envelope` (pages, exports, errors, token, external data), `crm`,
`jpm` (jobs and appointments), `office` (settings, dispatch, marketing), `webhook`.
"""
