"""Commands about the running line: its daemon, slots and ports."""
