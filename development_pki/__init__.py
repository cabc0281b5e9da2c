# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for development: it issues Matter attestation certificates with test vendor ids, over EST."""
