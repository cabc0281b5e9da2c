# SPDX-License-Identifier: Apache-2.0
"""What becomes of label data outside the station: pictures, and files for a print house."""
