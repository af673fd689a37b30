import time

import pytest

from agents.syntax import calls, code_of, defines, function_at, functions, imports, language_of, names, outline

SOURCES = {
    "a.py": "@dec\ndef outer():\n    def inner():\n        pass\n\n\nclass Cart:\n    async def total(self): pass\n",
    "a.go": "package a\n\nfunc Top() {\n}\n\nfunc (s *Server[T]) Total() {\n}\n\ntype Cart struct{}\n",
    "A.java": "class Cart {\n  Cart() {}\n  void total() {}\n  class Line {\n    int price() { return 1; }\n  }\n}\n",
    "a.kt": "class Cart {\n  fun total(): Int {\n    return 1\n  }\n}\n\nfun top() {\n}\n",
    "a.js": "const top = () => 1;\nclass Cart {\n  total() {}\n}\nexports.later = function () {};\n",
    "a.ts": "class Cart {\n  private total(): void {}\n  lazy = () => 2;\n}\nexport const top = (n: number) => n;\n",
    "a.tsx": "export const View = () => <div/>;\n",
    "a.cs": "namespace N {\n  class Cart {\n    public Cart() {}\n    int Total() { return 1; }\n  }\n}\n",
    "a.rb": "module Shop\n  class Cart\n    def total; end\n    def self.build\n    end\n  end\nend\n",
    "a.php": "<?php\nclass Cart {\n  function total() {}\n}\nfunction top() {}\n",
    "a.rs": "impl Cart {\n    fn total(&self) {}\n}\nfn main() {}\n",
}
QUALIFIED = {
    "a.py": ["outer", "outer.inner", "Cart.total"],
    "a.go": ["Top", "Server.Total"],
    "A.java": ["Cart.Cart", "Cart.total", "Cart.Line.price"],
    "a.kt": ["Cart.total", "top"],
    "a.js": ["top", "Cart.total", "later"],
    "a.ts": ["Cart.total", "Cart.lazy", "top"],
    "a.tsx": ["View"],
    "a.cs": ["Cart.Cart", "Cart.Total"],
    "a.rb": ["Shop.Cart.total", "Shop.Cart.build"],
    "a.php": ["Cart.total", "top"],
    "a.rs": ["Cart.total", "main"],
}


@pytest.mark.parametrize("path", SOURCES)
def test_the_functions_of_a_file_are_known_by_what_they_stand_in(path: str) -> None:
    assert [one.qualified for one in functions(path, SOURCES[path])] == QUALIFIED[path]


@pytest.mark.parametrize("path", SOURCES)
def test_a_broken_file_still_tells_what_comes_before_the_break(path: str) -> None:
    found = [one.qualified for one in functions(path, SOURCES[path] + "\n}}} ( broken {{{\n")]
    assert QUALIFIED[path][0] in found


@pytest.mark.parametrize("path", ["a.txt", "Makefile", "", "a.unknown"])
def test_a_file_of_no_known_language_has_no_functions(path: str) -> None:
    assert language_of(path) is None
    assert outline(path, "def f(): pass").functions == ()


def test_a_file_too_large_to_be_written_by_hand_is_not_parsed() -> None:
    text = "def f():\n    pass\n" * 80_000
    start = time.process_time()
    assert functions("a.py", text) == ()
    assert time.process_time() - start < 2


def test_a_decorated_function_begins_with_its_decorator() -> None:
    found = function_at("a.py", SOURCES["a.py"], 1)
    assert found is not None
    assert (found.name, found.first_line, found.last_line) == ("outer", 1, 4)


@pytest.mark.parametrize(
    ("line", "defined"),
    [
        ("def price(item):", {"price"}),
        ("func (c *Cart) Total(n int) error {", {"Total"}),
        ("    public static int total(List<Item> items) {", {"total"}),
        ("export const limit = 3;", {"limit"}),
        ("    self.rate = rate", {"rate"}),
        ("  private final Clock clock = Clock.systemUTC();", {"clock"}),
        ('    "amount": 3,', {"amount"}),
        ("  timeout: 30s", {"timeout"}),
        ("    if a == b:", set()),
        ("    return total(items)", set()),
    ],
)
def test_a_line_defines_what_others_can_use(line: str, defined: set[str]) -> None:
    assert defines(line) == defined


def test_names_and_calls_of_a_line_leave_keywords_out() -> None:
    assert names("for item in self.order.lines: return None") == {"item", "order", "lines"}
    assert calls("total = cart.price(item) + tax(rate)") == {"price", "tax"}


@pytest.mark.parametrize(
    ("path", "line", "code"),
    [
        ("a.py", 'x = "#1"  # one', 'x = "#1"  '),
        ("a.go", 'x := "http://a" // one', 'x := "http://a" '),
        ("a.js", "x = `//${y}` /* one */;", "x = `//${y}` ;"),
        ("a.php", "$x = 1; # one", "$x = 1; "),
        ("A.java", "     * @param item the item", ""),
    ],
)
def test_comments_are_cut_but_not_out_of_strings(path: str, line: str, code: str) -> None:
    assert code_of(path, line) == code


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("a.py", "from shop.prices import price\nx = 1\n", 1),
        ("a.go", 'import (\n\t"fmt"\n\tcart "example.org/cart"\n)\n', 3),
        ("A.java", "import java.util.List;\nimport static a.B.c;\nclass A {}\n", 2),
        ("a.ts", "import { a } from './a';\nexport * from './b';\nconst c = require('c');\n", 3),
        ("a.rb", "require_relative 'cart'\nx = 1\n", 1),
        ("a.rs", "use crate::cart::Cart;\n", 1),
    ],
)
def test_imports_are_told_by_their_lines(path: str, text: str, found: int) -> None:
    assert len(list(imports(path, text))) == found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "import b\n\nRATES = {\n    'de': 19,\n}\n"),
        ("a.js", "import './b';\n\nexport const RATES = {\n  de: 19,\n};\n"),
        ("a.ts", "import './b';\n\nexport const RATES = {\n  de: 19,\n} as const;\n"),
        ("a.ts", "import './b';\n\nconst RATES: Record<string, number> = {\n  de: 19,\n};\n"),
        ("a.go", 'package a\n\nvar RATES = map[string]int{\n\t"de": 19,\n}\n'),
        ("A.java", 'class A {\n\n  static final Map<String, Integer> RATES = Map.of(\n    "de", 19\n  );\n}\n'),
        ("A.cs", "class A {\n\n  static readonly int[] RATES = {\n    19\n  };\n}\n"),
        ("a.rb", "module A\n\nRATES = {\n  de: 19,\n}\nend\n"),
        ("a.php", "<?php\n\nconst RATES = [\n  'de' => 19,\n];\n"),
        ("a.rs", "use b;\n\nstatic RATES: [i32; 1] = [\n  19,\n];\n"),
    ],
)
def test_a_table_outside_of_functions_is_known_with_all_its_lines(path: str, text: str) -> None:
    assert [(one.name, one.first_line, one.last_line) for one in outline(path, text).constants] == [("RATES", 3, 5)]
