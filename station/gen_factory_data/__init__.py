# SPDX-License-Identifier: Apache-2.0
"""ST's command `genFactoryData.py` on the station's parts: it judges the boards that are plugged in now."""
