"""`eiosniff rules`: which rules there are, and what is behind one."""

import click

from eiosniff.cli import options
from eiosniff.cli.output import Output, text_of


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  eiosniff rules
  eiosniff rules show client-ping-in-eio4
""",
)
@click.pass_context
def rules(context: click.Context) -> None:
    """The rules and their documentation; without a command, the list of them."""
    if context.invoked_subcommand is None:
        context.invoke(list_rules)


@rules.command("list")
@options.no_color
def list_rules(no_color: bool = False) -> None:
    """All rules; when piped, four fields with tabs between them."""
    from eiosniff import app
    from eiosniff.report import rule_text

    with Output(None, no_color=no_color) as place:
        if not place.is_terminal:
            place.write(rule_text.plain_list(app.rules()))
            return
        console = place.console()
        rule_text.write_list(app.rules(), console)
        place.write(text_of(console))


@rules.command("show", epilog="Example: eiosniff rules show EIO038")
@click.argument("rule", metavar="CODE-OR-NAME")
@options.no_color
def show_rule(rule: str, no_color: bool) -> None:
    """What a rule reports, why it matters and how to mend it; plain Markdown when piped."""
    from eiosniff import app
    from eiosniff.report import rule_text

    info = app.find_rule(rule)
    if info is None:
        raise click.BadParameter(f"there is no rule {rule!r}; {options.closest_rules(rule)}", param_hint="CODE-OR-NAME")
    with Output(None, no_color=no_color) as place:
        if not place.is_terminal:
            place.write(rule_text.markdown(info))
            return
        console = place.console()
        rule_text.write(info, console)
        place.write(text_of(console))
