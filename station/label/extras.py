# SPDX-License-Identifier: Apache-2.0
"""What is told where the package was installed without its extra `labels`."""


class LibraryMissing(Exception):
    """A library of the extra is missing; the text gives the remedy."""

    def __init__(self, library: str) -> None:
        super().__init__(f"this needs {library}: pip install 'matter-provisioning-station[labels]'")
