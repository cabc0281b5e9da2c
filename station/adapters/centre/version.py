# SPDX-License-Identifier: Apache-2.0
"""The revision of the centre's tables that this version of the station works with."""

KNOWN = "c0001"
