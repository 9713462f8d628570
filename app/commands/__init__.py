"""The command line: `servicetitan-stream COMMAND` and `python -m app COMMAND`."""
