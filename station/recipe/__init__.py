# SPDX-License-Identifier: Apache-2.0
"""What a unit of a product must be, and the checks that hold a board against it."""
