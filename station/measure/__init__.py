# SPDX-License-Identifier: Apache-2.0
"""`station measure`: what one real board takes, against the model that benchmark and virtual bench have."""
