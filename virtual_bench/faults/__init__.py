# SPDX-License-Identifier: Apache-2.0
"""Faults: the catalogue, fault files, and the faults that are armed for a board."""
