"""What `foreseq --help` looks like: commands in groups, an example below the help of each."""

from typing import Any

from typer.core import TyperGroup

GROUPS: dict[str, dict[str, str]] = {
    "Every day": {
        "run": "--data my.csv --horizon 14 --time-budget 5m",
        "forecast": "--model my@champion --input my.csv --output tonight",
        "show": "tonight --series S07",
        "open": "my",
        "explore": "my.csv",
        "example-data": "my.csv --series 40 --freq D",
    },
    "One step at a time": {
        "ingest": "--data my.csv",
        "train": "--data my.csv --horizon 14",
        "tune": "--data my.csv --horizon 14 --trials 30 --time-budget 1h",
        "publish": "4b1f6c6032a4471aa26b5d86fa656bbc",
        "rollback": "my",
        "history": "my",
    },
    "Jobs": {
        "serve": "configs/schedules/my.yaml",
        "backfill": "configs/schedules/my.yaml --from 2026-01-28 --to 2026-01-30",
        "monitor": "--model my@champion --retrain auto",
        "index": "",
        "ui": "--port 5000",
        "doctor": "",
    },
    "Trust": {
        "backtest": "--model my@champion",
        "verify": "--data my.csv --horizon 14",
        "reproduce": "4b1f6c6032a4471aa26b5d86fa656bbc",
        "diagnose": "gradients configs/forecasters/my.yaml",
        "pretrain": "--season 7",
    },
    "Text": {"text": "generate --prompt 'The '"},
}
"""By group, the commands, each with an example of its arguments."""


class Grouped(TyperGroup):
    """The commands of `foreseq`, listed in groups."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command with its example."""
        command = super().get_command(ctx, cmd_name)
        arguments = next((group[cmd_name] for group in GROUPS.values() if cmd_name in group), None)
        if command is not None and arguments is not None:
            command.epilog = f"Example: foreseq {cmd_name} {arguments}".rstrip()
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 typer's
        """Write a section for each group."""
        room = formatter.width - 6 - max(map(len, self.commands))
        for title, names in GROUPS.items():
            with formatter.section(title):
                commands = {name: self.commands[name] for name in names}
                rows = [(name, one.get_short_help_str(room)) for name, one in commands.items()]
                formatter.write_dl(rows, col_max=max(map(len, self.commands)))
