# SPDX-License-Identifier: Apache-2.0
"""Certificates, attestation and certification declarations by the rules of Matter and RFC 5280. Pure."""
