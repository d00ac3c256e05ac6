"""`eiosniff rules`: which rules there are, and what is behind one."""

import click

from eiosniff.cli import options
from eiosniff.cli.output import Output, text_of


class _Rules(click.Group):
    """Says how to show a rule to who names one where a command belongs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = "`eiosniff rules show NAME` shows a rule."
            raise click.UsageError(f"{error.format_message()} {hint}", ctx) from None


@click.group(
    cls=_Rules,
    invoke_without_command=True,
    epilog="""\b
Examples:
  eiosniff rules
  eiosniff rules show client-ping-in-eio4
  eiosniff rules --rules my_rules.py
""",
)
@options.rule_files
@click.pass_context
def rules(context: click.Context, rule_files: tuple[str, ...]) -> None:
    """The rules and their documentation; without a command, the list of them."""
    context.obj = rule_files
    if context.invoked_subcommand is None:
        context.invoke(list_rules)


@rules.command("list")
@options.rule_files
@options.no_color
@click.pass_obj
def list_rules(others: tuple[str, ...], rule_files: tuple[str, ...] = (), no_color: bool = False) -> None:
    """All rules; when piped, four fields with tabs between them, and a fifth for a rule that is not eiosniff's: the
    file or package that it comes from."""
    from eiosniff import app
    from eiosniff.report import rule_text

    infos = app.rules((*others, *rule_files))
    with Output(None, no_color=no_color) as place:
        if not place.is_terminal:
            place.write(rule_text.plain_list(infos))
            return
        console = place.console()
        rule_text.write_list(infos, console)
        place.write(text_of(console))


@rules.command("show", epilog="Example: eiosniff rules show EIO038")
@click.argument("rule", metavar="CODE-OR-NAME")
@options.rule_files
@options.no_color
@click.pass_obj
def show_rule(others: tuple[str, ...], rule: str, rule_files: tuple[str, ...], no_color: bool) -> None:
    """What a rule reports, why it matters, how to mend it, and its limits; plain Markdown when piped."""
    from eiosniff import app
    from eiosniff.report import rule_text

    infos = app.rules((*others, *rule_files))
    info = options.find_rule(rule, infos)
    if info is None:
        problem = f"there is no rule {rule!r}; {options.closest_rules(rule, infos)}"
        raise click.BadParameter(problem, param_hint="CODE-OR-NAME")
    with Output(None, no_color=no_color) as place:
        if not place.is_terminal:
            place.write(rule_text.markdown(info))
            return
        console = place.console()
        rule_text.write(info, console)
        place.write(text_of(console))
