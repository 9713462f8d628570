"""No regular expression of the app takes more than a few times as long for twice the text.

The event loop stands still while one works: a quadratic one stops a worker for seconds on a text of 64 KB.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import time
from dataclasses import dataclass
from fnmatch import translate
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

import app
from app.telemetry.masking import masked_text
from app.web import guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

# Each is eight times the one before: a linear pattern needs a millisecond or two for the longest, a quadratic
# one at least a hundred. What tries all ways is seen at the first, and is not asked any further.
_SIZES = (16, 128, 1_024, 8_192)
_QUICK_SECONDS = 0.02
_MOST_TIMES = 24
# Those that are put together when they are used, from names of our own.
_MADE_LATER = {
    "app.web.guard": guard._pattern("/bookings/{bookingId}/actions"),
    "app.stream.topology": re.compile(r"booking\-events-retry-([1-9]\d*)s"),
    "app.simulator.faults": re.compile(translate("/jpm/*/jobs/*")),
}
_CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}


# Of what stands in the text alone: to import all of the app takes each process of the tests a while.
MODULES = [
    found.name
    for found in pkgutil.walk_packages(app.__path__, "app.")
    if (spec := find_spec(found.name)) and spec.origin and "re." in Path(spec.origin).read_text("utf-8")
]


def patterns(module: ModuleType) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every pattern of a module with where it stands."""
    for call in ast.walk(ast.parse(inspect.getsource(module))):
        if not (isinstance(call, ast.Call) and _is_of_re(call.func)):
            continue
        where = f"{module.__name__}:{call.lineno}"
        try:
            pattern, flags = (
                eval(ast.unparse(part), dict(vars(module)))  # noqa: S307 - the app's own source
                for part in (call.args[0], _flags(call))
            )
        except NameError:
            yield where, _MADE_LATER[module.__name__]
        else:
            yield where, re.compile(pattern, flags)


def _is_of_re(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _CALLS
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
    )


def _flags(call: ast.Call) -> ast.expr:
    named = next((word.value for word in call.keywords if word.arg == "flags"), None)
    if named is not None:
        return named
    last = call.args[-1]
    compiled = cast("ast.Attribute", call.func).attr == "compile" and len(call.args) == 2
    about_re = isinstance(last, (ast.Attribute, ast.BinOp)) and "re." in ast.unparse(last)
    return last if compiled or about_re else ast.Constant(0)


@dataclass(frozen=True)
class Attack:
    """A text that makes a pattern try again and again: what it repeats, what comes before it, and no end."""

    start: str
    piece: str
    end: str

    def text(self, size: int) -> str:
        repeated = self.piece * (size // len(self.piece))
        return self.start + repeated[: size - len(self.start)] + self.end


def attacks(pattern: re.Pattern[str]) -> list[Attack]:
    parsed = _parsed(pattern)
    before = dict.fromkeys(_sample(parsed, upto) for upto in range(len(parsed) + 1))
    return [
        Attack(start, piece, end)
        for piece in _pieces(parsed)
        for start in before
        for end in ("", "\x00", "!")
    ]


def _parsed(pattern: re.Pattern[str]) -> Any:  # noqa: ANN401 - of a private module
    return cast("Any", re)._parser.parse(pattern.pattern, pattern.flags)


def _pieces(parsed: Any) -> list[str]:  # noqa: ANN401 - as above
    """What may be repeated, each as a text: samples of all parts of the pattern, and of pairs of them."""
    found = dict.fromkeys(["a", "1", " ", "@", ".", "(", '"', "'", "a@", "a.", "1 "])
    for node in _nodes(parsed):
        found[_sample([node])] = None
    found[_sample(parsed)] = None
    return [piece for piece in found if piece]


def _nodes(parsed: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    for node in parsed:
        yield node
        for inner in _inner(node):
            yield from _nodes(inner)


def _inner(node: Any) -> list[Any]:  # noqa: ANN401 - as above
    name, argument = str(node[0]), node[1]
    match name:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return [argument[2]]
        case "SUBPATTERN":
            return [argument[3]]
        case "ATOMIC_GROUP":
            return [argument]
        case "BRANCH":
            return list(argument[1])
        case _:
            return []


def _sample(parsed: Any, upto: int | None = None) -> str:  # noqa: ANN401 - as above
    """A text that these parts take."""
    return "".join(_sample_of(node) for node in list(parsed)[:upto])


def _sample_of(node: Any) -> str:  # noqa: ANN401 - as above
    name, argument = str(node[0]), node[1]
    match name:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return "b" if argument == ord("a") else "a"
        case "ANY":
            return "a"
        case "IN":
            return _sample_of_set(argument)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, _, inner = argument
            return _sample(inner) * max(1, int(least))
        case "BRANCH":
            return _sample(argument[1][0])
        case _:
            return "".join(_sample(inner) for inner in _inner(node))


_CATEGORIES = {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}


def _sample_of_set(items: Any) -> str:  # noqa: ANN401 - as above
    if str(items[0][0]) == "NEGATE":
        return next(letter for letter in "a1 ~\u20ac" if not any(_holds(item, letter) for item in items[1:]))
    name, argument = str(items[0][0]), items[0][1]
    match name:
        case "LITERAL":
            return chr(argument)
        case "RANGE":
            return chr(argument[0])
        case _:
            return _CATEGORIES.get(str(argument), "~")


def _holds(item: Any, letter: str) -> bool:  # noqa: ANN401 - as above
    name, argument = str(item[0]), item[1]
    match name:
        case "LITERAL":
            return bool(ord(letter) == argument)
        case "RANGE":
            return bool(argument[0] <= ord(letter) <= argument[1])
        case _:
            return _CATEGORIES.get(str(argument)) == letter


def seconds(pattern: re.Pattern[str], text: str) -> float:
    began = time.thread_time()
    for _ in pattern.finditer(text):
        pass
    pattern.fullmatch(text)
    return time.thread_time() - began


def grows_too_fast(pattern: re.Pattern[str], attack: Attack) -> bool:
    """Whether eight times the text takes far more than eight times as long, up to the size that shows it."""
    before = _QUICK_SECONDS
    for size in _SIZES:
        text = attack.text(size)
        took = seconds(pattern, text)
        if took > _QUICK_SECONDS:
            # Another process may have been in the way.
            took = min(took, *(seconds(pattern, text) for _ in range(3)))
        if took > max(_QUICK_SECONDS, _MOST_TIMES * before):
            return True
        before = max(took, _QUICK_SECONDS / 100)
    return False


@pytest.mark.parametrize("name", MODULES)
def test_no_pattern_takes_more_than_a_few_times_as_long_for_more_text(name: str) -> None:
    for where, pattern in patterns(importlib.import_module(name)):
        slow = [attack for attack in attacks(pattern) if grows_too_fast(pattern, attack)]
        assert slow == [], f"{where}: {pattern.pattern}"


@pytest.mark.parametrize("pattern", [r"[\w.+%-]+@[\w-]+", r"\s+$"])
def test_a_pattern_that_does_is_found(pattern: str) -> None:
    compiled = re.compile(pattern)
    assert any(grows_too_fast(compiled, attack) for attack in attacks(compiled))


def test_masking_a_long_text_takes_no_longer_than_reading_it_a_few_times() -> None:
    """What was slow as a whole: 20,000 letters and an `@` took 1.5 s."""
    for text in ("a" * 64_000 + "@", "phone:'" * 9_000, "a@" * 32_000, '"email": "' + "x" * 64_000):
        began = time.thread_time()
        masked_text(text)
        assert time.thread_time() - began < 1.0
