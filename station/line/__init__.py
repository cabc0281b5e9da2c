# SPDX-License-Identifier: Apache-2.0
"""The line and its slots: boards come, are judged, and go."""
