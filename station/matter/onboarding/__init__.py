# SPDX-License-Identifier: Apache-2.0
"""Passcode, SPAKE2+ verifier, QR code and manual code, with which a commissioner opens a unit. Pure."""
