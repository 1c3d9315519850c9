"""`scenecast doctor`: one line for each thing that must be right, with cause and remedy where it is not."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from bridge.cli.checks import Finding, all_checks
from bridge.cli.console import out, print_json

MARKS = {"ok": "[green]✓[/green]", "note": "[dim]·[/dim]", "warning": "[yellow]![/yellow]", "problem": "[red]✗[/red]"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--data-dir", type=Path, help="where ledger and store live")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """0 when nothing is wrong, 1 when something is."""
    findings: list[Finding] = []
    for check in all_checks(arguments.data_dir):
        for finding in check():
            findings.append(finding)
            if not arguments.json:
                _show(finding)
    problems = sum(finding.state == "problem" for finding in findings)
    warnings = sum(finding.state == "warning" for finding in findings)
    if arguments.json:
        print_json({"problems": problems, "findings": [dataclasses.asdict(finding) for finding in findings]})
    else:
        words = "all is well" if not problems else f"{problems} problem{'s' if problems > 1 else ''}"
        out().print(f"\n{words}{f', {warnings} warnings' if warnings else ''}")
    return 1 if problems else 0


def _show(finding: Finding) -> None:
    from rich.markup import escape

    console = out()
    console.print(f"{MARKS[finding.state]} [bold]{escape(finding.what)}[/bold]  {escape(finding.words)}")
    if finding.remedy:
        console.print(f"    [yellow]→[/yellow] {escape(finding.remedy)}")
