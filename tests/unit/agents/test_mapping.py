from typing import Any

import pytest

from agents.frames import Frame, Layout, Mapper, Trace, layout_of, naming_files, package_of, simple_name
from agents.frames.nouns import Language


def mapped_frame(
    path: str,
    texts: dict[str, str],
    *,
    line: int = 1,
    function: str | None = None,
    code: str | None = None,
    kind: str = "application",
    module: str | None = None,
    language: Language = "go",
    source_path: str | None = None,
) -> tuple[Frame, list[str]]:
    """The frame as it is mapped in a repository of these files, and the doubts there are."""
    frame = Frame.model_validate(
        {"path": path, "line": line, "function": function, "code": code, "kind": kind, "module": module}
    )
    trace = Trace(item="log", language=language, first_line=1, last_line=2, exception="E", message="", frames=(frame,))
    files = sorted(texts)
    layout = layout_of(files, {path: texts[path] for path in naming_files(files)}, source_path)
    mapper = Mapper(layout)
    assert set(mapper.wanted([trace])) <= set(files)
    (found,) = mapper.mapped([trace], texts)
    return found.frames[0], mapper.doubts()


GO = "package cart\n\nfunc Total() int {\n\treturn 1\n}\n"
JAVA = "package org.example.shop;\n\nclass Order {\n  int total() {\n    return 1;\n  }\n}\n"
TS = "export function total(): number {\n  return 1;\n}\n"


@pytest.mark.parametrize(
    ("path", "texts", "options", "file"),
    [
        pytest.param("/src/cart/cart.go", {"cart/cart.go": GO}, {"line": 4}, "cart/cart.go", id="container root"),
        pytest.param(
            "example.org/shop/cart/cart.go",
            {"go.mod": "module example.org/shop\n", "cart/cart.go": GO, "old/cart/cart.go": GO},
            {"line": 4},
            "cart/cart.go",
            id="go with -trimpath",
        ),
        pytest.param(
            "example.org/shop/tools@v1.2.0/cart/cart.go",
            {"go.mod": "module example.org/shop\n", "tools/go.mod": "module example.org/shop/tools\n",
             "tools/cart/cart.go": GO, "cart/cart.go": GO},
            {"line": 4, "kind": "dependency"},
            "tools/cart/cart.go",
            id="a nested go module",
        ),
        pytest.param(
            "Order.java",
            {"a/src/main/java/org/example/shop/Order.java": JAVA,
             "a/src/main/java/org/example/mail/Order.java": JAVA.replace("shop", "mail")},
            {"line": 5, "module": "org.example.shop.Order$Line", "function": "total"},
            "a/src/main/java/org/example/shop/Order.java",
            id="a java package, nested class",
        ),
        pytest.param(
            "Order.kt",
            {"app/src/shop/Order.kt": JAVA.replace(";", "")},
            {"line": 5, "module": "org.example.shop.OrderKt"},
            "app/src/shop/Order.kt",
            id="kotlin without the folders of its package",
        ),
        pytest.param(
            "Order.java",
            {"src/main/java/org/other/Order.java": JAVA.replace("example.shop", "other")},
            {"line": 5, "module": "org.example.shop.Order"},
            None,
            id="a class of another package",
        ),
        pytest.param(
            "/app/dist/cart.js", {"src/cart.ts": TS}, {"function": "total", "language": "javascript"}, "src/cart.ts",
            id="compiled from typescript",
        ),
        pytest.param(
            "webpack-internal:///(rsc)/./src/cart.ts", {"src/cart.ts": TS}, {"line": 2, "language": "javascript"},
            "src/cart.ts", id="bundled",
        ),
        pytest.param(
            "/app/node_modules/@shop/util/dist/cart.js",
            {"packages/util/package.json": '{"name": "@shop/util"}', "packages/util/src/cart.ts": TS,
             "apps/web/src/cart.ts": TS},
            {"function": "total", "kind": "dependency", "language": "javascript"},
            "packages/util/src/cart.ts",
            id="a package of the workspace",
        ),
        pytest.param(
            "/app/node_modules/left/src/cart.ts", {"src/cart.ts": TS}, {"kind": "dependency", "language": "javascript"},
            None, id="a package of somebody else",
        ),
        pytest.param(
            "/usr/lib/gems/shop-1.2.0/lib/shop/cart.rb",
            {"shop.gemspec": "", "lib/shop/cart.rb": "def total\n  1\nend\n"},
            {"line": 2, "kind": "dependency", "language": "ruby"},
            "lib/shop/cart.rb",
            id="the gem of the repository itself",
        ),
        pytest.param(
            "C:\\src\\Shop\\Cart.cs", {"backend/Shop/Cart.cs": "class Cart {\n int Total() { return 1; }\n}\n"},
            {"line": 2, "language": "dotnet"}, "backend/Shop/Cart.cs", id="windows",
        ),
        pytest.param(
            "/app/main.go", {"services/a/main.go": GO, "services/b/main.go": GO},
            {"line": 4, "source_path": "services/b", "function": "cart.Other"}, None, id="by its name alone",
        ),
        pytest.param(
            "/app/cmd/main.go", {"services/a/cmd/main.go": GO, "services/b/cmd/main.go": GO},
            {"line": 4, "source_path": "services/b", "function": "cart.Total"}, "services/b/cmd/main.go",
            id="the program's own folder in a monorepo",
        ),
        pytest.param(
            "/app/vendor/x/cart.go", {"vendor/x/cart.go": GO, "cart.go": GO}, {"kind": "dependency"}, None,
            id="vendored",
        ),
    ],
)  # fmt: skip
def test_a_frame_is_mapped_by_what_its_language_prints(
    path: str, texts: dict[str, str], options: dict[str, object], file: str | None
) -> None:
    found, _ = mapped_frame(path, texts, **options)  # type: ignore[arg-type]  # a row of the table
    assert found.file == file


def test_several_files_that_fit_as_well_are_a_doubt_and_no_guess() -> None:
    found, doubts = mapped_frame("/app/cmd/main.go", {"a/cmd/main.go": GO, "b/cmd/main.go": GO}, line=4)
    assert found.file is None
    assert doubts == ["/app/cmd/main.go of a trace could be any of a/cmd/main.go, b/cmd/main.go"]


def test_of_several_files_the_one_whose_function_agrees_is_taken() -> None:
    other = GO.replace("Total", "Sum")
    found, doubts = mapped_frame(
        "/app/cmd/main.go", {"a/cmd/main.go": other, "b/cmd/main.go": GO}, line=4, function="main.Total"
    )
    assert (found.file, doubts) == ("b/cmd/main.go", [])


@pytest.mark.parametrize("line", [40, 2])
def test_where_the_line_is_another_one_the_functions_definition_is_the_place(line: int) -> None:
    found, _ = mapped_frame("/src/cart/cart.go", {"cart/cart.go": "\n" * 5 + GO}, line=line, function="cart.Total")
    assert (found.file, found.line) == ("cart/cart.go", 8)


def test_twenty_thousand_files_are_looked_up_by_name() -> None:
    files = tuple(f"pkg{at}/index.ts" for at in range(20_000))
    mapper = Mapper(Layout(files=files))
    frame = Frame(path="/app/pkg7/index.ts", line=1, function=None, code=None, kind="application")
    assert mapper.candidates(frame) == ("pkg7/index.ts",)


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("store/cart.(*Cart).Total", "Total"),
        ("main.main.func1", "main"),
        ("Store.Cart.<TotalAsync>d__3.MoveNext()", "TotalAsync"),
        ("Store.Cart.Total(Int32 x)", "Total"),
        ("lambda$total$0", "total"),
        ("Store::Cart#total", "total"),
        ("block (2 levels) in total", "total"),
        ("store::cart::total::{{closure}}", "total"),
        ("Object.<anonymous>", None),
        ("async Cart.total", "total"),
        ("Store\\Cart->total()", "total"),
        ("<module>", None),
        ("<init>", None),
        (None, None),
    ],
)
def test_a_function_is_called_what_its_definition_calls_it(printed: str | None, name: str | None) -> None:
    assert simple_name(printed) == name


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/usr/lib/python3.12/site-packages/flask/app.py", "flask"),
        ("/app/node_modules/.pnpm/a@1/node_modules/@nest/core/index.js", "@nest/core"),
        ("/go/pkg/mod/github.com/lib/pq@v1.10.0/conn.go", "github.com/lib/pq"),
        ("/usr/gems/rack-2.2.1/lib/rack.rb", "rack"),
        ("/app/vendor/guzzlehttp/guzzle/src/Client.php", "guzzlehttp/guzzle"),
        ("/root/.cargo/registry/src/index.crates.io-1/serde_json-1.0.1/src/de.rs", "serde_json"),
        ("/app/src/cart.py", None),
    ],
)
def test_the_package_of_a_frame_is_told_by_where_it_is_installed(path: str, package: str | None) -> None:
    frame = Frame(path=path, line=1, function=None, code=None, kind="dependency")
    assert package_of(frame) == package


REPORT = (
    "export function worst(): string {\n  return 'tea';\n}\n\n"
    "export function best(sales: Sale[]): string {\n  return sales[0].sku;\n}\n"
)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        pytest.param({"line": 9, "function": "best", "code": "    return sales[0].sku;"}, 6, id="the line is quoted"),
        pytest.param({"line": 9, "function": "best", "code": "    var x = sales[0];"}, 5, id="it reads otherwise"),
        pytest.param({"line": 2, "function": "best"}, 5, id="its number is of another function"),
        pytest.param({"line": 40, "code": "Object.defineProperty(exports)"}, 0, id="no function is told"),
    ],
)
def test_a_compiled_line_is_found_in_its_source_as_far_as_the_log_tells(options: dict[str, Any], line: int) -> None:
    files = {"src/report.ts": REPORT, "src/admin/report.ts": "export const x = 1;\n"}
    frame, doubts = mapped_frame("/app/dist/report.js", files, language="javascript", **options)
    assert (frame.file, frame.line, doubts) == ("src/report.ts", line, [])


def test_a_script_outside_of_any_build_is_no_source_that_merely_has_its_name() -> None:
    frame, _ = mapped_frame("/srv/report.js", {"src/report.ts": REPORT}, line=40, language="javascript")
    assert frame.file is None
