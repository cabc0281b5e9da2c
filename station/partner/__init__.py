"""What a partner's provisioning script meets: its own process, ST's `common` module, and the interface in our own terms.

`from station.partner import Refused, Unit`; see docs/partner-scripts.md.
"""

from station.partner.unit import Refused, Unit

__all__ = ["Refused", "Unit"]
