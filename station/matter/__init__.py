# SPDX-License-Identifier: Apache-2.0
"""The rules and formats of the Matter specification: values in, values or a named refusal out. Pure."""
