# SPDX-License-Identifier: Apache-2.0
"""Records what an attempt met, without secrets, and plays it back against the code of today."""
