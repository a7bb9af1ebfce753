"""Options before a command: passed on to it, or refused where it has none of that name.

`runs --out X clean` means what `runs clean --out X` means. A group that parsed such an option and dropped it would work
in another folder than the one that was named.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup, TyperOption

from harness.contracts.errors import Refusal


class PassingGroup(TyperGroup):
    """A group of commands that hands every option given before a command on to that command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command with its name and arguments, the options given before it in front of its own."""
        name, command, rest = super().resolve_command(ctx, args)
        for option in self.params:
            source = ctx.get_parameter_source(option.name)
            if isinstance(option, TyperOption) and source is not None and source.name == "COMMANDLINE":
                rest = _passed(option, ctx.params[option.name], str(name), command, rest)
        return name, command, rest


def _passed(option: TyperOption, value: Any, name: str, command: Any, arguments: list[str]) -> list[str]:
    """Return the arguments of a command with an option before them; Refusal where neither it nor the command that
    they name has the option, or where they give another value."""
    flag = option.opts[0]
    if any(flag in known.opts for known in command.params):
        own = arguments[: arguments.index("--")] if "--" in arguments else arguments
        single = not option.is_flag and not option.multiple
        if single and any(word == flag or word.startswith(f"{flag}=") for word in own):
            raise Refusal(f"{flag} is given before and after {name!r}.", "Give it once.")
        return [*_words(option, flag, value), *arguments]
    inner = command.commands.get(arguments[0]) if isinstance(command, TyperGroup) and arguments else None
    if inner is None:
        raise Refusal(
            f"{flag} is no option of {name!r}, before which it stands.",
            f"Leave it out, or see: python benchmark.py {name} --help",
        )
    return [arguments[0], *_passed(option, value, f"{name} {arguments[0]}", inner, arguments[1:])]


def _words(option: TyperOption, flag: str, value: Any) -> list[str]:
    """Return an option as it is written; one that can be repeated has several values."""
    if option.is_flag:
        return [flag]
    return [f"{flag}={one}" for one in (value if option.multiple else (value,))]
