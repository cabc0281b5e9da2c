# SPDX-License-Identifier: Apache-2.0
"""Many stations and one centre through every disaster, and a referee: `make campaign-shared`."""
