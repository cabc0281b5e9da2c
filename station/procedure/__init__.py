# SPDX-License-Identifier: Apache-2.0
"""What happens to one board, top to bottom; `provision.py` is the work instruction."""
