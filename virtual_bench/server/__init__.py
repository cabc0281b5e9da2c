# SPDX-License-Identifier: Apache-2.0
"""The serving bench and its control socket."""
