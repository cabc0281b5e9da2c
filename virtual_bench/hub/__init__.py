"""The USB hub: ports, links, and the bandwidth that probes share."""
