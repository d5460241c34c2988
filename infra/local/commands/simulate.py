"""`patchbay simulate`: the switches of a running server's simulators."""

from typing import Any

import click

from infra.local import complete
from infra.local.terminal import AS_JSON, Number, call, show, table


@click.group()
def simulate() -> None:
    r"""Make simulated providers fail, to see what happens.

    \b
    patchbay simulate fault azure 500
    patchbay simulate status
    patchbay simulate clear
    """


@simulate.command("fault")
@click.argument("provider", shell_complete=complete.providers)
@click.argument("fault", shell_complete=complete.faults)
@click.option(
    "--rate",
    type=Number(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of requests it hits.",
)
@click.option("--capability", help="Only this capability.", shell_complete=complete.capabilities)
@click.option("--times", type=click.IntRange(1), help="Only so many requests.")
@AS_JSON
def simulate_fault(provider: str, fault: str, as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Switch FAULT on at PROVIDER until it is cleared.

    FAULT is a status (500), a status with a wait (429:2), or one of slow_first_byte slow_chunks hang refuse
    drop_headers drop_body truncated_json wrong_content_type cut_stream stream_error stream_stall no_end_marker
    huge_body wrong_json wrong_words.

    \b
    patchbay simulate fault azure 500
    patchbay simulate fault openai 429:2 --times 2
    patchbay simulate fault together cut_stream --rate 0.3
    """
    body = {"provider": provider, "fault": fault, **options}
    done = call("POST", "/api/local/simulators/faults", "fault", body, inside=False)
    show(done) if as_json else click.echo(f"{provider}: {fault} is on")


@simulate.command("clear")
@click.argument("provider", required=False, shell_complete=complete.providers)
@AS_JSON
def simulate_clear(provider: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Switch all faults off, or those of one provider.

    \b
    patchbay simulate clear
    patchbay simulate clear azure
    """
    done = call("POST", "/api/local/simulators/clear", "providers", {"provider": provider}, inside=False)
    show(done) if as_json else click.echo(f"{provider or 'every provider'}: no faults")


@simulate.command("status")
@AS_JSON
def simulate_status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Which faults are on, and how often each has hit.

    \b
    patchbay simulate status
    """
    data = call("GET", "/api/local/simulators", "providers", inside=False)
    if as_json:
        show(data)
        return
    rows = [["PROVIDER", "REQUESTS", "FAULTS", "URL"]]
    for name, one in data["providers"].items():
        faults = ", ".join(f"{fault['fault']} x{fault['fired']}" for fault in one["faults"]) or "-"
        rows.append([name, str(one["requests"]), faults, one["url"]])
    table(rows)
