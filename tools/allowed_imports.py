# SPDX-License-Identifier: Apache-2.0
"""Contracts for import-linter: rooms may import only listed modules of the standard library and of other packages."""

from collections.abc import Iterator
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


class AllowedImports(Contract):
    """Of external packages, `modules` and their submodules import only those in `allowed`."""

    type_name = "allowed_imports"

    modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001  import-linter's signature
        """Finds imports of external packages that are not in `allowed`."""
        found = sorted(self._others(graph))
        return ContractCheck(kept=not found, metadata={"found": found})

    def _others(self, graph: ImportGraph) -> Iterator[tuple[str, str, int]]:
        expressions = cast("set[ModuleExpression]", self.modules)
        rooms = {module.name for module in module_expressions_to_modules(graph, expressions)}
        inside = rooms | {below for room in rooms for below in graph.find_descendants(room)}
        roots = set(cast("list[str]", self.session_options["root_packages"]))
        for importer in inside:
            for imported in graph.find_modules_directly_imported_by(importer):
                package = imported.partition(".")[0]
                if package not in roots and package not in cast("set[str]", self.allowed):
                    for details in graph.get_import_details(importer=importer, imported=imported):
                        yield importer, imported, details["line_number"]

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line per forbidden import."""
        for importer, imported, line in cast("list[tuple[str, str, int]]", check.metadata["found"]):
            output.print_error(f"{importer} imports {imported} (line {line}), which is not on its list")


class OneHome(Contract):
    """Within `root`, only the modules at `home` import `package`, so that replacing it changes only them."""

    type_name = "one_home"

    root = fields.StringField()
    package = fields.StringField()
    home = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001  import-linter's signature
        """Finds importers of the package outside its home; the home itself must import it."""
        root, homes = str(self.root), cast("set[str]", self.home)
        importers = (
            graph.find_modules_that_directly_import(str(self.package)) if str(self.package) in graph.modules else set()
        )
        ours = {module for module in importers if module == root or module.startswith(f"{root}.")}
        away = sorted(
            module for module in ours if not any(module == home or module.startswith(f"{home}.") for home in homes)
        )
        return ContractCheck(kept=bool(ours) and not away, metadata={"away": away, "unused": not ours})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line per importing module."""
        if check.metadata["unused"]:
            output.print_error(f"nothing imports {self.package}: remove this contract and the dependency")
        for module in cast("list[str]", check.metadata["away"]):
            output.print_error(
                f"{module} imports {self.package}, whose home is {', '.join(sorted(cast('set[str]', self.home)))}"
            )
