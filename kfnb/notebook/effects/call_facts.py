"""What calls of the notebook's functions do to the state of the process.

Each function is gone through once for a notebook; a call has the facts of all functions that it may
reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from kfnb.notebook.effects.constant_propagation import Function
from kfnb.notebook.effects.notebook_names import Known

Kind = Literal["set", "use", "guess", "once", "restore", "everywhere"]
"""What is done to the state.

``set``
    It is changed.
``use``
    The code relies on it: it draws a random number, reads a variable.
``guess``
    The code may rely on it, but the source does not show it (``open(name)``, a shell command).
``once``
    A call gives another value in each process: the time, a random number.
``restore``
    An earlier change is undone: ``os.chdir`` back to a folder that the code had read before.
``everywhere``
    It is changed by a statement that every later step executes again.
"""

Area = Literal[
    "random", "environment", "folder", "path", "module", "option", "history", "memo", "once"
]
"""Which state of the process it is.

``random``
    The global random generator of a library.
``environment``
    Environment variables.
``folder``
    The working directory.
``path``
    ``sys.path``, where modules are imported from.
``module``
    Attributes of modules, and ``sys.modules``.
``option``
    Global options of a library (pandas, matplotlib, logging).
``history``
    IPython's history: ``In``, ``Out``, ``_``.
``memo``
    The cache of a function (``functools.lru_cache``).
``once``
    No state: it marks calls of kind ``once``.
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing done to or expected of the process.

    ``kind``: "set" changes the state, "use" plainly relies on it, "guess" may,
    "restore" undoes an earlier change, "everywhere" sets it in this step and all later ones.
    ``key`` says which state: the generator's library, the variable's name, the option's
    library. ``sure`` is False where the code may not be reached. ``text`` is the line,
    ``execution_count`` what Jupyter shows beside the cell.
    """

    area: Area
    kind: Kind
    key: str
    cell: int
    line: int
    sure: bool = True
    shown: str = ""
    text: str = ""
    execution_count: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A place where a function calls others of the notebook."""

    functions: tuple[Function, ...]
    sure: bool


ItemsOf = Callable[[Function, Known], list[Fact | Entry]]
"""Lists what the body of a function does, and where it calls others."""


def facts_of_call(functions: tuple[Function, ...], known: Known, items_of: ItemsOf) -> list[Fact]:
    """List the facts of functions and of all that they call, in the order of their execution.

    Each function is gone through once, so the time does not depend on how they call one another.
    """
    if not functions:
        return []
    result: list[Fact] | None = known.summaries.get(functions)
    if result is not None:
        return result
    # A dictionary keeps the order of execution, which a set would lose.
    distinct: dict[Fact, None] = {}
    seen: set[tuple[Function, bool]] = set()
    # A stack instead of recursion, because functions may call one another in long chains.
    waiting: list[tuple[Iterator[Function | Fact | Entry], bool]] = [(iter(functions), True)]
    while waiting:
        remaining, sure = waiting[-1]
        item = next(remaining, None)
        if item is None:
            waiting.pop()
        elif isinstance(item, Fact):
            distinct[item if sure else replace(item, sure=False)] = None
        elif isinstance(item, Entry):
            waiting.append((iter(item.functions), sure and item.sure))
        # A function that is reached under a condition may be reached without one later.
        elif (item, sure) not in seen:
            seen.add((item, sure))
            waiting.append((iter(_acting(known, items_of).get(item, ())), sure))
    result = known.summaries[functions] = list(distinct)
    return result


def _acting(known: Known, items_of: ItemsOf) -> dict[Function, list[Fact | Entry]]:
    """Give what each function does itself, and where it calls functions that have facts."""
    graph: dict[Function, list[Fact | Entry]] | None = known.summaries.get(_acting)
    if graph is None:
        graph = known.summaries[_acting] = _call_graph(known, items_of)
    return graph


def _call_graph(known: Known, items_of: ItemsOf) -> dict[Function, list[Fact | Entry]]:
    """Go through all functions; those from which no fact can be reached are left out."""
    own: dict[Function, list[Fact | Entry]] = {}
    for function in (*known.functions.values(), *chain.from_iterable(known.methods.values())):
        own[function] = items_of(function, known)
    callers: dict[tuple[Function, ...], list[Function]] = {}
    for function, items in own.items():
        for item in items:
            if isinstance(item, Entry):
                callers.setdefault(item.functions, []).append(function)
    groups: dict[Function, list[tuple[Function, ...]]] = {}
    for functions in callers:
        for function in functions:
            groups.setdefault(function, []).append(functions)
    # Facts go from functions to their callers, until no further function gets one.
    waiting = [f for f, items in own.items() if any(isinstance(i, Fact) for i in items)]
    acting = set(waiting)
    while waiting:
        for functions in groups.pop(waiting.pop(), ()):
            for caller in callers.pop(functions, ()):
                if caller not in acting:
                    acting.add(caller)
                    waiting.append(caller)
    return {
        function: [
            item
            for item in items
            if isinstance(item, Fact) or not acting.isdisjoint(item.functions)
        ]
        for function, items in own.items()
        if function in acting
    }
