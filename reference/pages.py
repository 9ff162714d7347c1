"""Every page of docs/reference."""

from reference import chart, commands, contracts, errors, metrics, rest, settings


def pages() -> dict[str, str]:
    """The text of each file, by its name. The same program gives the same text."""
    return {
        "README.md": INDEX,
        "openapi.json": rest.document(),
        "rest.md": rest.page_of_routes(),
        "grpc.md": contracts.page_of_contracts(),
        "settings.md": settings.page_of_settings(),
        "cli.md": commands.page_of_commands(),
        "metrics.md": metrics.page_of_metrics(),
        "errors.md": errors.page_of_errors(),
        "chart.md": chart.page_of_values(),
    }


INDEX = """\
# Reference

These pages are written by `make reference` out of the program itself; `make check` fails when they
are stale. What is wrong here is wrong in the program: mend it there.

| page | what it lists | written out of |
|---|---|---|
| [rest.md](rest.md) | every route, field and answer of the REST interface | the routes |
| [openapi.json](openapi.json) | the same for programs, as `/openapi.json` gives it | the routes |
| [grpc.md](grpc.md) | every service, call and message | `protos/` |
| [settings.md](settings.md) | every setting, its default and what is allowed | the settings |
| [cli.md](cli.md) | every command and option of `videoannotator` | the command |
| [metrics.md](metrics.md) | every metric | the metrics |
| [errors.md](errors.md) | every error, and why runs fail | the error tree and its tables |
| [chart.md](chart.md) | every value of the chart | its schema and its defaults |
"""
