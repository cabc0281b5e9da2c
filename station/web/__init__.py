# SPDX-License-Identifier: Apache-2.0
"""The operator's page and its stream of events, over HTTP. Asks the daemon through one `door`."""
