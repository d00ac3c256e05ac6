"""What the user chose for an analysis: by options, and by a configuration where these say nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from eiosniff.cli import options

if TYPE_CHECKING:
    from eiosniff import app


@dataclass(frozen=True, slots=True)
class Setting:
    """All of it. `configuration` names the file that was read; empty if there is none."""

    options: "app.Options"
    fail_on: str
    selected_rules: bool
    configuration: str


def chosen(
    *,
    select: Sequence[str],
    ignore: Sequence[str],
    rule_files: tuple[str, ...],
    config: str | None,
    no_config: bool,
    fail_on: str,
    ports: Sequence[int],
    path: str | None,
    max_sessions: int,
    kept_sessions: int | None = None,
    keylog: tuple[str, ...] = (),
    joined: bool | None = None,
) -> Setting:
    """Put it together. Raises `click.UsageError` or `EiosniffError` for what cannot be."""
    from eiosniff import app
    from eiosniff.cli.configuration import configuration
    from eiosniff.model.session import MAX_SESSIONS

    if config is not None and no_config:
        raise click.UsageError("--config and --no-config exclude each other")
    rules = app.rules(rule_files)
    said = configuration(config, wanted=not no_config, rules=rules)
    # Who selects rules says which exactly; who ignores some may still have selected others for good.
    selected = options.named_rules("--select", select, rules) or said.select
    ignored = options.named_rules("--ignore", ignore, rules) or (not select and said.ignore) or frozenset()
    if click.get_current_context().get_parameter_source("fail_on") is ParameterSource.DEFAULT:
        fail_on = said.fail_on or fail_on
    return Setting(
        app.Options(
            select=selected,
            ignore=ignored,
            rule_files=rule_files,
            severity=said.severity,
            limits=said.limits,
            ports=frozenset(ports),
            path=path,
            max_sessions=max_sessions,
            kept_sessions=kept_sessions or MAX_SESSIONS,
            keylog=keylog,
            joined=joined,
        ),
        fail_on,
        bool(selected or ignored),
        said.source,
    )
