# SPDX-License-Identifier: Apache-2.0
"""What the station knows about targets, attempts and identities. Pure: no I/O, no clock."""
