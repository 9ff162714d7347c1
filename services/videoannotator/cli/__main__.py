"""`python -m videoannotator.cli` is the `videoannotator` command."""

from videoannotator.cli.main import run

run()
