# SPDX-License-Identifier: Apache-2.0
"""What the manufacturing execution system (MES) is told and asked, as values and as JSON. Pure."""
