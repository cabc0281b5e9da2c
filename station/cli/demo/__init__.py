# SPDX-License-Identifier: Apache-2.0
"""`station demo`: the main job on the virtual bench."""
