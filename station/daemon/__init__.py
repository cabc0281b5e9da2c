# SPDX-License-Identifier: Apache-2.0
"""The daemon: opens its parts, runs the line, and answers commands on its control socket."""
