# SPDX-License-Identifier: Apache-2.0
"""The USB hub: ports, links, and the bandwidth that probes share."""
