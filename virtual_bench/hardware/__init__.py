# SPDX-License-Identifier: Apache-2.0
"""The hardware below a firmware: flash, the radio's core, secure storage, and their faults."""
