# SPDX-License-Identifier: Apache-2.0
"""The procedures for one board. `provision.py` is the work instruction: read it first."""
