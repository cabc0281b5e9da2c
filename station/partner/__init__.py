# SPDX-License-Identifier: Apache-2.0
"""The modules for partners' provisioning scripts: their process, ST's `common` module, and the station's own interface.

`from station.partner import Refused, Unit`; see docs/partner-scripts.md.
"""

from station.partner.unit import Refused, Unit

__all__ = ["Refused", "Unit"]
