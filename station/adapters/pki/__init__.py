# SPDX-License-Identifier: Apache-2.0
"""The connection to the PKI: interfaces to certificate authorities, and the relay that asks them once for each key."""
