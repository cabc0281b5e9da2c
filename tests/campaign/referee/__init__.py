# SPDX-License-Identifier: Apache-2.0
"""The referee of a campaign: from boards, PKI, printer, MES and ledgers it finds the broken promises. Imports nothing of the station."""
