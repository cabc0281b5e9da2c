"""ST's factory data: its bytes, its JSON, and the examination of a whole unit. Pure."""
