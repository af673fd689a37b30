"""The README's generated parts are what the code says: the picture of the graph, and the table of settings."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.graph import build
from app.settings import Settings

README = Path(__file__).resolve().parents[2] / "README.md"


def graph() -> str:
    drawn = re.sub(r"\A---.*?---\n", "", build().get_graph().draw_mermaid(), flags=re.DOTALL)
    lines = [line.replace("\t", "  ") for line in drawn.strip().splitlines() if "classDef" not in line]
    return "```mermaid\n" + "\n".join(line.replace(":::first", "").replace(":::last", "") for line in lines) + "\n```"


def settings() -> str:
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = f"`{default}`" if default not in {None, ""} else ""
        if name == "sandbox_dir":
            shown = "`selfheal-sandbox` in the temporary folder"
        rows.append(f"| `SELFHEAL_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


@pytest.mark.parametrize(("name", "draw"), [("graph", graph), ("settings", settings)])
def test_a_generated_part_is_up_to_date(name: str, draw: object, request: pytest.FixtureRequest) -> None:
    assert callable(draw)
    pattern = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    text = README.read_text(encoding="utf-8")
    wanted = pattern.sub(lambda match: f"{match[1]}{draw()}\n{match[2]}", text)
    if request.config.getoption("--update-golden", default=False):
        README.write_text(wanted, encoding="utf-8")
    assert README.read_text(encoding="utf-8") == wanted, "run: pytest tests/unit/test_readme.py --update-golden"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
