"""The map of who imports whom in the app, drawn from the imports themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Mapping

    Imports = Mapping[str, frozenset[str]]

# It starts the commands and holds nothing: a line more in the map, and no news.
LEFT_OUT = "__main__"


def of_the_app() -> Imports:
    """Each part of the app (a package or a module right under it), and the parts that it imports."""
    found = grimp.build_graph("app", cache_dir=None)
    parts = {name.split(".")[1] for name in found.modules if "." in name} - {LEFT_OUT}
    return {
        part: frozenset(
            other
            for other in parts - {part}
            if found.direct_import_exists(importer=f"app.{part}", imported=f"app.{other}", as_packages=True)
        )
        for part in parts
    }


def reachable(imports: Imports, part: str) -> frozenset[str]:
    """All parts that one stands on, over however many steps; there are no circles."""
    return imports[part].union(*(reachable(imports, other) for other in imports[part]))


def reduced(imports: Imports) -> Imports:
    """The same without each import that is also there by a longer way: what is reachable stays so."""
    return {
        part: others.difference(*(reachable(imports, other) for other in others))
        for part, others in imports.items()
    }


def as_mermaid() -> str:
    """The map as a Mermaid flow chart: an arrow goes from who imports to what is imported."""
    imports = reduced(of_the_app())
    imported = frozenset[str]().union(*imports.values())
    arrows = [f"    {part} --> {other}\n" for part in sorted(imports) for other in sorted(imports[part])]
    alone = [f"    {part}\n" for part in sorted(imports) if not imports[part] and part not in imported]
    return f"```mermaid\nflowchart TD\n{''.join(arrows + alone)}```\n"
