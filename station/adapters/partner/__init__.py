# SPDX-License-Identifier: Apache-2.0
"""A partner's provisioning script as a process."""
