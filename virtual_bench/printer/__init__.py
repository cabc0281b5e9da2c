# SPDX-License-Identifier: Apache-2.0
"""A label printer that is none: ZPL at a raw TCP port, `~HS` as a Zebra answers it, and what goes wrong with paper."""
