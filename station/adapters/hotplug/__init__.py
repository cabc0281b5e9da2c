# SPDX-License-Identifier: Apache-2.0
"""Reports which boards come and go.

The operating system tells it, never the programmer, whose listing disturbs targets.
"""
