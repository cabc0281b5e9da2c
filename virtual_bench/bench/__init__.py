# SPDX-License-Identifier: Apache-2.0
"""The state that all boards and programmer runs of one bench share."""
