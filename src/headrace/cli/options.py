"""The options of a command that come from the table of settings, under its headings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from headrace.settings.flags import FLAGS, SHORT, grouped, metavar, told
from headrace.settings.setting import Setting

F = TypeVar("F", bound=Callable[..., Any])


def flag(setting: Setting) -> click.Option:
    """Return a setting's option; one that is not given is None, or empty."""
    names = [setting.name, setting.flag, *([SHORT[setting.name]] if setting.name in SHORT else [])]
    if setting.kind.is_flag:
        names[1] = f"{setting.flag}/--no-{setting.flag.removeprefix('--')}"
        return click.Option(names, default=None, help=told(setting))
    if setting.kind.choices:
        choices = click.Choice(setting.kind.choices)
        return click.Option(names, type=choices, help=told(setting))
    return click.Option(
        names,
        metavar=metavar(setting),
        multiple=setting.kind.several,
        help=told(setting),
    )


class WithSettings(click.Command):
    """A command with a flag for each setting, listed in `--help` under their headings."""

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        self._own = [one for one in self.params if isinstance(one, click.Option)]
        self._flags = {name: flag(setting) for name, setting in FLAGS.items()}
        self.params += self._flags.values()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, then the settings."""
        self._section(ctx, formatter, "Options", [*self._own, *self._help(ctx)])
        for heading, settings in grouped().items():
            options = [self._flags[one.name] for one in settings if one.name in self._flags]
            self._section(ctx, formatter, heading, options)

    def _help(self, ctx: click.Context) -> list[click.Parameter]:
        option = self.get_help_option(ctx)
        return [] if option is None else [option]

    @staticmethod
    def _section(
        ctx: click.Context,
        formatter: click.HelpFormatter,
        heading: str,
        options: list[Any],
    ) -> None:
        records = [one for option in options if (one := option.get_help_record(ctx))]
        with formatter.section(heading):
            formatter.write_dl(records)
