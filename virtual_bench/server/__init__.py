"""The serving bench and its control socket."""
