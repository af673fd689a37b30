"""A model in the loop with everything real beside it: git, the local forge, processes that listen, HTTP."""

from contextlib import AsyncExitStack
from pathlib import Path

from agents.graph import Ports, build
from agents.policy import Policy
from agents.pull_request import Proposed
from app.adapters.checkout import Mirrors, Trees
from app.adapters.forge_local import LocalForge
from app.adapters.llm import ChatModels
from tests.boxes import box, yard
from tests.fake_models import PLENTY
from tests.fakes import FakeCommit, FakeRepository
from tests.model_server import Body, Message, call, calls, model_server, told
from tests.playing import DONE, conclusion, edit
from tests.scene import FIX, ROUNDED, SECRETS, SETTINGS, Scene, trees
from tests.scratch import Scratch

SERVER = '''"""Serves prices; logs what fails."""
import sys, traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from shop.pricing import total

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body, status = str(total(10, self.path.rpartition("/")[2])).encode(), 200
        except Exception:
            traceback.print_exc()
            body, status = b"failed", 500
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
'''
TESTS = """import unittest
from shop.pricing import total

class PricesTest(unittest.TestCase):
    def test_an_agreed_rate_is_charged(self):
        self.assertEqual(total(10, "europe"), 12.0)
"""
EXTRA = {"shop/__init__.py": "", "shop/__main__.py": SERVER, "tests/test_pricing.py": TESTS}


class Disk(FakeRepository):
    """Lends the scene the ids of a real repository's commits."""

    def __init__(self, scratch: Scratch) -> None:
        super().__init__(*(FakeCommit(sha, {}) for sha in scratch.shas))
        self.shas = tuple(scratch.shas)


async def test_a_models_fix_reaches_the_forge_once_the_real_program_is_green(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "forge" / "acme" / "shop.git")
    for subject, files in trees(SETTINGS, EXTRA, latent=False):
        scratch.commit(subject, files)
    scene = Scene(repository=Disk(scratch), url=scratch.url)

    def seen(body: Body) -> Message:
        answers = told(body)
        assert all(answer.startswith("status: ok") for answer in answers)
        assert f"   10 {scene.culprit} (Charge only agreed tax rates)" in answers[0]
        assert "shop/pricing.py:10|" in answers[1]
        return conclusion(scene)

    def tried(body: Body) -> Message:
        assert "verdict: verified; kind of reproduction: replay" in told(body)[-1]
        assert "LookupError: no rate for pacific" in told(body)[-1]
        return DONE

    async with AsyncExitStack() as closing:
        root = closing.enter_context(yard())
        looked = calls(
            ("blame", {"path": "shop/pricing.py", "first_line": 8, "last_line": 11}),
            ("search_files", {"text": "raise LookupError"}),
            ("compare_file", {"path": "shop"}),
            ("list_commits", {}),
        )
        server = closing.enter_context(model_server(looked, seen, edit(*FIX), call("run_verification"), tried))
        models = ChatModels("test-model", server.url, None, PLENTY)
        closing.push_async_callback(models.close)
        mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge")
        ports = Ports(
            journal=scene.journal,
            repositories=mirrors,
            forge=LocalForge(tmp_path / "forge"),
            sandbox=box("process", seconds=20),
            workspace=Trees(mirrors, root / "trees", None),
            policy=Policy(repositories=(scene.rule,)),
            models=models,
        )
        await build().ainvoke({"attempt": "attempt"}, context=ports)
    outcome = scene.journal.outcome
    assert isinstance(outcome, Proposed)
    assert server.is_done
    branch = outcome.pull_request.branch
    assert scratch.text(branch, "shop/pricing.py") == ROUNDED.replace(*FIX)
    assert scratch.git("diff", "--name-only", scene.canary, branch) == "shop/pricing.py"
    assert not any(secret in raw for secret in SECRETS for raw in server.raw)
