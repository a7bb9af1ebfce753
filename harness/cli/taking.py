"""Commands that take their options as one frozen dataclass: declared, named and passed on in one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from typer.models import ArgumentInfo

Options = TypeVar("Options")


def taking(options: type[Options]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the fields of ``options`` as its parameters, in order, in place of its last one.

    Each field has the type that Typer reads, an ``Annotated`` one, and a default. Parameters of the command before its
    last one stay its own, and are passed by name.
    """
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=kind)
        for field in fields(options)  # type: ignore[arg-type]
        for kind in (hints[field.name],)
    ]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]

        @functools.wraps(command)
        def called(*values: Any, **given: Any) -> int:
            kept = {parameter.name: given.pop(parameter.name) for parameter in own}
            return command(**kept, asked=options(*values, **given))

        shown = [*own, *parameters]
        called.__signature__ = inspect.Signature(shown, return_annotation=int)  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in shown} | {"return": int}
        del called.__wrapped__  # Typer would read its hints, which know of no option
        return called

    return decorate


def words_of(options: object) -> list[str]:
    """Return the words of a command line that gives these options; what has its default is left out."""
    words: list[str] = []
    for field in fields(options):  # type: ignore[arg-type]
        value = getattr(options, field.name)
        if value == field.default:
            continue
        hint = get_type_hints(type(options), include_extras=True)[field.name].__metadata__[0]
        given = value if isinstance(value, list) else [value]
        if isinstance(hint, ArgumentInfo):
            words += [str(one) for one in given]
        else:
            # Typer takes the first of an annotation's names for its default until it reads the command
            flag = next(name for name in (hint.default, *hint.param_decls) if str(name).startswith("--"))
            words += [flag] if value is True else [f"{flag}={one}" for one in given]
    return words
