"""The ops page at `/ops`: what happened, what needs a person, and how to put it right."""
