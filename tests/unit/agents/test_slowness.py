import pytest

from agents.reach import reached_by
from agents.slowness import rank_slow
from tests.fakes import FakeCommit, FakeRepository

ROUTES = """from shop import reports, orders

def routes():
    return {"/reports": reports.show, "/orders": orders.show_order}
"""
REPORTS = """from shop.store import rows

def show(rest):
    return {"total": summarise(rows(rest))}


def summarise(entries):
    return sum(entry["amount"] for entry in entries)


def unrelated():
    return 1
"""
FLASK = """@app.get("/users/<int:number>/orders")
def list_orders(number):
    return query_orders(number)


@app.get("/users")
def list_users():
    return 1


def query_orders(number):
    return number
"""
BRANCH = """class Handler:
    def do_GET(self):
        if self.path.startswith("/reports"):
            body = make_report(self.path)


def make_report(path):
    return path
"""


@pytest.mark.parametrize(
    ("path", "texts", "functions"),
    [
        ("/reports/2026", {"routes.py": ROUTES, "reports.py": REPORTS}, {"show": 0, "summarise": 1}),
        ("/users/7/orders?page=2", {"api.py": FLASK}, {"list_orders": 0, "query_orders": 1}),
        ("/users", {"api.py": FLASK}, {"list_users": 0}),
        ("/reports/1", {"server.py": BRANCH}, {"make_report": 0}),
        ("/nowhere", {"routes.py": ROUTES, "reports.py": REPORTS}, {}),
    ],
)
def test_a_request_reaches_functions_by_its_route(path: str, texts: dict[str, str], functions: dict[str, int]) -> None:
    found = {one.function: one.depth for one in reached_by(path, texts)}
    assert found == functions


async def test_the_change_that_the_slow_request_reaches_is_the_suspect() -> None:
    slow = REPORTS.replace(
        'sum(entry["amount"] for entry in entries)',
        'sum(max(entry["amount"] for other in entries) for entry in entries)',
    )
    first = {"routes.py": ROUTES, "reports.py": REPORTS, "orders.py": "def show_order(rest):\n    return rest\n"}
    repository = FakeRepository(
        FakeCommit("start", first),
        FakeCommit("Weigh the report's rows", first | {"reports.py": slow}),
        FakeCommit("Greet", first | {"reports.py": slow.replace("return 1", "return 2")}),
        FakeCommit("Comment", first | {"reports.py": "# reports\n" + slow.replace("return 1", "return 2")}),
    )
    texts = {path: (await repository.read(repository.shas[-1], path)).text for path in first}
    commits = await repository.commits(repository.shas[0], repository.shas[-1])
    suspects = rank_slow(commits, reached_by("/reports/2026", texts), texts)
    assert [suspect.commit for suspect in suspects] == [repository.shas[1]]
    assert (suspects[0].file, suspects[0].function) == ("reports.py", "summarise")
    assert suspects[0].line == 8 + 1


def test_nothing_reached_means_no_suspect() -> None:
    assert rank_slow((), (), {}) == ()
