# SPDX-License-Identifier: Apache-2.0
"""Values and rules: targets, attempts, identities, products, and the fault policy. Pure: no I/O, no clock."""
