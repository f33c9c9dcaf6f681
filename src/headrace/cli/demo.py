"""`headrace demo`: a real image model, a real photo."""

from __future__ import annotations

import sys

import click


@click.command("demo")
def command() -> None:
    """Serve an ImageNet classifier and ask it about a photo (needs the extra `demo`)."""
    from headrace.demo.run import main

    sys.exit(main())
