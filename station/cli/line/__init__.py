# SPDX-License-Identifier: Apache-2.0
"""Commands about the running line: its daemon, slots and ports."""
