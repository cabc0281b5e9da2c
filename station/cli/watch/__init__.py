# SPDX-License-Identifier: Apache-2.0
"""The operator's board live in a terminal."""
