"""Where the failing line has its values from, and which changes only look as if they had touched it."""

import pytest

from tests.shop import history
from tests.unit.agents.test_suspects import culprit, log_of

CLIENT = '''class Client:
    """Talks to the shop."""

    def __init__(self, transport, retries):
        self.transport = transport
        self.retries = retries

    def close(self):
        return None

    def send(self, request):
        # hand it over as it is
        return self.transport(request)
'''


def line_of(text: str, code: str) -> int:
    return text.split("\n").index(code) + 1


def failing(text: str, code: str, function: str, ending: str) -> str:
    frame = f'  File "/app/shop/client.py", line {line_of(text, code)}, in {function}\n    {code.strip()}\n'
    return log_of(f"{frame}{ending}")


@pytest.mark.parametrize("given", ["self.transport = None", "self.transport_ = transport", "pass"])
async def test_who_gives_the_field_that_the_failing_line_reads_beats_who_changed_its_function(given: str) -> None:
    broken = CLIENT.replace("self.transport = transport", given)
    later = broken.replace("        # hand", "        self.sent = True\n        # hand")
    code = "        return self.transport(request)"
    log = failing(later, code, "send", "TypeError: 'NoneType' object is not callable")
    repository = history(
        ("Tidy", {"shop/client.py": broken}),
        ("Count tries", {"shop/client.py": later}),
        base={"shop/client.py": CLIENT},
    )
    number, suspect = await culprit(repository, log)
    assert number == 1
    assert suspect is not None
    assert "transport" in suspect.why


async def test_a_comment_touches_no_other_comment() -> None:
    later = CLIENT.replace("        return None", "        # nothing is open\n        return 7")
    code = "        return self.transport(request)"
    repository = history(("Say why", {"shop/client.py": later}), base={"shop/client.py": CLIENT})
    number, suspect = await culprit(repository, failing(later, code, "send", "ValueError: no"))
    assert number is None
    assert suspect is None or suspect.why == "it changed the file of the failing line"


async def test_a_docstring_is_no_change_of_its_function() -> None:
    old = 'def send(request):\n    """Send a request.\n\n    It may take long.\n    """\n    return request.url\n'
    new = old.replace("It may take long.", "It may take a minute or two.")
    log = failing(new, "    return request.url", "send", "ValueError: no")
    number, _ = await culprit(history(("Explain", {"shop/client.py": new}), base={"shop/client.py": old}), log)
    assert number is None


async def test_a_method_renamed_in_a_base_class_beats_a_change_of_the_caller() -> None:
    stream = "class Stream:\n    def close(self):\n        return 1\n\n\nclass Bytes(Stream):\n    pass\n"
    user = "def finish(stream, name):\n    stream.close()\n    return f'{name} is closed'\n"
    later = user.replace("f'{name} is closed'", "name.upper()")
    repository = history(
        ("Rename", {"shop/stream.py": stream.replace("def close(", "def shut(")}),
        ("Shout", {"shop/client.py": later}),
        base={"shop/stream.py": stream, "shop/client.py": user},
    )
    log = failing(later, "    stream.close()", "finish", "AttributeError: 'Bytes' object has no attribute 'close'")
    number, suspect = await culprit(repository, log)
    assert number == 1
    assert suspect is not None
    assert suspect.file == "shop/stream.py"


async def test_who_dropped_an_argument_of_the_failing_line_beats_who_changed_lines_beside_it() -> None:
    old = "def size(value, kind):\n    limit = 10\n    return isinstance(value, kind) and len(value) < limit\n"
    broken = old.replace("isinstance(value, kind)", "isinstance(value)")
    later = broken.replace("limit = 10", "limit = 12")
    repository = history(
        ("Tidy", {"shop/client.py": broken}), ("More", {"shop/client.py": later}), base={"shop/client.py": old}
    )
    code = "    return isinstance(value) and len(value) < limit"
    number, _ = await culprit(repository, failing(later, code, "size", "TypeError: isinstance expected 2 arguments"))
    assert number == 1


async def test_of_what_a_check_throws_its_condition_counts_and_no_word_of_its_text() -> None:
    old = (
        "def check(order):\n    total = order.total\n    if total < 0:\n"
        '        raise ValueError("The Total is wrong")\n'
    )
    broken = old.replace("total = order.total", "total = order.total - order.rebate")
    later = broken.replace("    if total", "    order.seen = True\n    if total")
    repository = history(
        ("Rebates", {"shop/client.py": broken}),
        ("Mark as seen", {"shop/client.py": later}),
        ("Add The", {"shop/the.py": "class The:\n    Total = 1\n"}),
        base={"shop/client.py": old},
    )
    code = '        raise ValueError("The Total is wrong")'
    number, _ = await culprit(repository, failing(later, code, "check", "ValueError: The Total is wrong"))
    assert number == 1


async def test_a_private_name_is_found_as_its_class_spells_it() -> None:
    old = (
        "class Server:\n    def start(self):\n        self.__port = 80\n\n"
        "    def port(self):\n        return self.__port\n"
    )
    broken = old.replace("self.__port = 80", "self.__number = 80")
    log = failing(
        broken, "        return self.__port", "port", "AttributeError: 'Server' object has no attribute '_Server__port'"
    )
    number, suspect = await culprit(history(("Rename", {"shop/client.py": broken}), base={"shop/client.py": old}), log)
    assert number == 1
    assert suspect is not None
    assert suspect.why == "it took away '__port', which the error misses"
