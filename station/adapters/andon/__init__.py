# SPDX-License-Identifier: Apache-2.0
"""The program that shows the line's state on a lamp."""
