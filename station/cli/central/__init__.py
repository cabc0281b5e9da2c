# SPDX-License-Identifier: Apache-2.0
"""`station central`: the ledger that stations share, for the people who look after it and for those who ask it."""
