# SPDX-License-Identifier: Apache-2.0
"""The outside world, one room for each kind of thing; each implements Protocols of `interfaces.py`."""
