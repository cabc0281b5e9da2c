# SPDX-License-Identifier: Apache-2.0
"""ST's command `genFactoryData.py`, built from the station's parts: judges the boards that are plugged in now."""
