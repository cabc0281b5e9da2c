# SPDX-License-Identifier: Apache-2.0
"""The STM32WB55 of a board: a Cortex-M4 that executes the firmware in its flash, and its peripherals.

Only `cpu` knows the engine, Unicorn, whose licence is the GPL, version 2: nothing in the station may import this
package.
"""
