# SPDX-License-Identifier: Apache-2.0
"""Contracts for import-linter: rooms may import only listed modules of the standard library and of other packages."""

from collections.abc import Iterator
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


class AllowedImports(Contract):
    """`modules` and all below them import, of packages that are not checked here, only those in `allowed`."""

    type_name = "allowed_imports"

    modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001  import-linter's signature
        """The contract is kept unless another module is imported."""
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
        """A line an import."""
        for importer, imported, line in cast("list[tuple[str, str, int]]", check.metadata["found"]):
            output.print_error(f"{importer} imports {imported} (line {line}), which is not on its list")


class OneHome(Contract):
    """Of `root`, only the modules at `home` import `package`, so that it can be replaced there."""

    type_name = "one_home"

    root = fields.StringField()
    package = fields.StringField()
    home = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001  import-linter's signature
        """The contract is kept if modules at home import the package, and no others do."""
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
        """A line a module."""
        if check.metadata["unused"]:
            output.print_error(f"nothing imports {self.package}: take this contract away, and the dependency")
        for module in cast("list[str]", check.metadata["away"]):
            output.print_error(
                f"{module} imports {self.package}, whose home is {', '.join(sorted(cast('set[str]', self.home)))}"
            )
