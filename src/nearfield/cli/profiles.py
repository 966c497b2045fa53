"""``nearfield profiles``: what users may start, and whether the cluster takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearfield.cli._context import settings
from nearfield.cli._output import emit_json, progress, table

if TYPE_CHECKING:
    from nearfield.checking.finding import Report
    from nearfield.config import Config

app = typer.Typer(no_args_is_help=True, help="Profiles: environment, hardware, who may use them.")
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("show")
def show(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One profile; without it, all.")] = None,
    json_: JsonOption = False,
) -> None:
    """Show profiles: who may use them, where they run, and within which limits."""
    from nearfield.errors import UnknownNameError

    config = settings(context).config
    if name is not None and name not in config.profiles:
        raise UnknownNameError("profile", name, config.profiles)
    described = [_described(config, found) for found in ([name] if name else config.profiles)]
    if json_:
        emit_json(described[0] if name else described)
    elif name:
        _print_one(described[0])
    else:
        table(
            ["profile", "title", "who", "environment", "hardware"],
            [
                [p["name"], p["title"], _who(p), p["environment"]["name"], ", ".join(h)]
                for p in described
                for h in [[entry["name"] for entry in p["hardware"]]]
            ],
        )


@app.command("check")
def check(
    context: typer.Context,
    cluster: Annotated[str | None, typer.Option(help="Only this cluster.")] = None,
    user: Annotated[
        str | None,
        typer.Option(help="Try jobs and images as this account; root only.", show_default="you"),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Check nearfield.yaml against the real clusters. Nothing is submitted.

    Exit code 0: in order; 1: errors; 3: a cluster does not answer.
    """
    from nearfield.checking.site import check_site

    with progress("checking") as shown:
        report = check_site(
            settings(context).config_path, cluster=cluster, user=user, progress=shown
        )
    if json_:
        emit_json(report.model_dump(mode="json"))
    else:
        _print_report(report)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _print_report(report: Report) -> None:
    order = {"error": 0, "warning": 1, "note": 2}
    findings = sorted(report.findings, key=lambda f: (order[f.severity], f.line or 0))
    if findings:
        table(
            ["severity", "line", "where", "what", "fix"],
            [[f.severity, str(f.line or ""), f.key, f.what, f.fix] for f in findings],
        )
    errors = sum(f.severity == "error" for f in findings)
    counts = {"error": errors, "other finding": len(findings) - errors}
    said = ", ".join(_number(count, what) for what, count in counts.items() if count)
    print(f"{report.file or 'the defaults'}: {said or 'nothing found against it'}")
    if report.tried:  # a machine without Slurm has no sbatch
        were = "was" if report.tried == 1 else "were"
        jobs = _number(report.tried, "job")
        print(f"{jobs} {were} put to sbatch --test-only as {report.tried_as}")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _described(config: Config, name: str) -> dict[str, Any]:
    from nearfield.config import Hardware

    profile = config.profiles[name]
    environment = config.environments[profile.environment]
    hardware = []
    for key in profile.hardware:
        entry = config.hardware[key]
        named = entry.choices.named()
        hardware.append(
            {
                "name": key,
                "title": entry.title,
                "cluster": entry.cluster,
                "defaults": entry.model_dump(mode="json", include=set(Hardware.model_fields)),
                "choices": {k: c.model_dump(mode="json") for k, c in named.items()},
                "choices_in_words": {k: str(choice) for k, choice in named.items()},
            }
        )
    return {
        "name": name,
        "title": profile.title,
        "description": profile.description,
        "users": profile.users,
        "groups": profile.groups,
        "environment": {
            "name": profile.environment,
            "title": environment.title,
            "image": None if environment.image is None else str(environment.image),
        },
        "hardware": hardware,
        "storages": profile.storages,
        "limits": {
            "per_user": profile.per_user,
            "per_user_in_all": config.sessions.per_user,
            "named": config.sessions.named,
            "idle_minutes": profile.idle_minutes or config.sessions.idle_minutes,
            "workers": profile.workers,
        },
    }


def _who(profile: dict[str, Any]) -> str:
    names = [*profile["users"], *(f"group {name}" for name in profile["groups"])]
    return ", ".join(names) or "everybody"


def _print_one(profile: dict[str, Any]) -> None:
    environment, limits = profile["environment"], profile["limits"]
    storages, idle = profile["storages"], limits["idle_minutes"]
    at_once = f"{limits['per_user_in_all']} of all profiles"
    if limits["per_user"] is not None:
        at_once = f"{limits['per_user']} of this profile, {at_once}"
    lines = [
        ["title", profile["title"] or "-"],
        ["description", profile["description"] or "-"],
        ["who", _who(profile)],
        ["environment", f"{environment['name']} {environment['title']}".strip()],
        ["image", environment["image"] or "none: on the node itself"],
        ["storages", "all near the cluster" if storages is None else ", ".join(storages) or "none"],
        ["sessions of a user", at_once],
        ["idle", f"ended after {idle} min" if idle else "left alone"],
        ["worker jobs", f"{limits['workers']} of a session" if limits["workers"] else "none"],
    ]
    table([profile["name"], ""], lines)
    for entry in profile["hardware"]:
        print()
        rows = [["cluster", entry["cluster"], "fixed"]]
        for key, default in entry["defaults"].items():
            choice = entry["choices_in_words"].get(key)
            if default is not None or choice is not None:
                shown = "the site's" if default is None else str(default)
                rows.append([key, shown, choice or "fixed"])
        table([f"hardware {entry['name']}", "default", "choice"], rows)
