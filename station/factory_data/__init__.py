# SPDX-License-Identifier: Apache-2.0
"""ST's factory data: its bytes, its JSON, and the examination of a whole unit. Pure."""
