# SPDX-License-Identifier: Apache-2.0
"""The station's computer: processes, memory for secrets, USB access, logs and transcripts."""
