# SPDX-License-Identifier: Apache-2.0
"""Simulates ST-LINK probes, STM32WB55 boards and STM32_Programmer_CLI, so that a station works without hardware.

It imports nothing from the station or from the development PKI: only an independent bench can test the station.
"""
