"""The way to the PKI: interfaces to certificate authorities, and the relay that keeps them from being asked twice."""
