# SPDX-License-Identifier: Apache-2.0
"""Keeps one station and the centre in step: identities and pairs come, the journal goes. Imported only with `[shared]`."""
