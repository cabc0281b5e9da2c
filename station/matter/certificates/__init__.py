"""Certificates, attestation and certification declarations by the rules of Matter and RFC 5280. Pure."""
