# SPDX-License-Identifier: Apache-2.0
"""Commands that read the ledger: units and their stories."""
