# SPDX-License-Identifier: Apache-2.0
"""Commands that judge a file: certificates, requests, declarations, codes, factory data, a board's flash."""
